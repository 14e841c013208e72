// The browser's side of an explorer: it copies text and links, reads those it came by, says that somebody is looking, and
// when a frame has been drawn.

function copied(text) {
    // The clipboard is closed to pages that come neither from this machine nor over https: select and copy as of old.
    if (navigator.clipboard) return navigator.clipboard.writeText(text).then(() => true, () => false);
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return Promise.resolve(done);
}

// The settings of an explorer that the page's address holds behind its #, or null.
function arrived() {
    const [, written] = location.hash.split("#sketchlab=");
    try { return written ? JSON.parse(decodeURIComponent(written)) : null; } catch { return null; }
}

function copier(name, title, text, otherwise) {
    const button = document.createElement("button");
    button.className = "jupyter-button widget-button";
    button.title = title;
    button.textContent = name;
    button.onclick = async () => {
        button.textContent = (await copied(text())) ? "Copied" : otherwise;
        setTimeout(() => { button.textContent = name; }, 1500);
    };
    return button;
}

// A view is put into the page some time after it is made.
function attached(el, then) {
    if (el.isConnected) then();
    else requestAnimationFrame(() => attached(el, then));
}

export default {
    render({ model, el }) {
        el.append(
            copier("Copy settings", "Copy a line of Python that brings this explorer back as it is now",
                () => model.get("text"), "Copy the line below"),
            copier("Copy link", "Copy an address that opens this notebook with the explorer as it is now",
                () => `${location.origin}${location.pathname}#sketchlab=${encodeURIComponent(model.get("settings"))}`, "Not copied"));

        // The first explorer of its kind takes what the address says, once.
        const settings = arrived();
        if (settings && !window.sketchlabArrived && settings.explorer === JSON.parse(model.get("settings")).explorer) {
            window.sketchlabArrived = true;
            model.send({ settings });
        }

        // On a page that is served, files come here.
        const save = (file, [content]) => {
            const link = document.createElement("a");
            link.href = URL.createObjectURL(new Blob([content]));
            link.download = file.name;
            link.click();
            setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
        };
        model.on("msg:custom", save);

        const say = kind => model.send({ kind, frame: model.get("frame") });
        const live = () => say(document.hidden ? "hidden" : "here");
        // What the kernel sends is drawn in its order: when this number has come, the frame before it is in the page. A page
        // in the background draws nothing, and need not be waited for.
        const drawn = () => {
            if (document.hidden) live();
            else requestAnimationFrame(() => requestAnimationFrame(() => say("here")));
        };
        const leave = () => {
            // A page that goes turns hidden right after it has said goodbye, and would be waited for.
            document.removeEventListener("visibilitychange", live);
            say("gone");
        };
        const timer = setInterval(live, 1000 * model.get("pulse"));
        document.addEventListener("visibilitychange", live);
        window.addEventListener("pagehide", leave);
        model.on("change:frame", drawn);
        live();

        // While it lives, the still picture below it is out of sight; once its kernel has gone, the still one is what is left.
        let area;
        const end = () => {
            area?.classList.remove("sketchlab-live");
            clearInterval(timer);
        };
        attached(el, () => {
            area = el.closest(".jp-OutputArea");
            area?.classList.add("sketchlab-live");
        });
        model.on("comm_live_update", end);
        return () => {
            clearInterval(timer);
            window.removeEventListener("pagehide", leave);
            model.off("msg:custom", save);
            model.off("change:frame", drawn);
            model.off("comm_live_update", end);
            leave();
        };
    },
};
