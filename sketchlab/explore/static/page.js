// The browser's side of an explorer: it copies text, says that somebody is looking, and when a frame has been drawn.

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

// A view is put into the page some time after it is made.
function attached(el, then) {
    if (el.isConnected) then();
    else requestAnimationFrame(() => attached(el, then));
}

export default {
    render({ model, el }) {
        const button = document.createElement("button");
        button.className = "jupyter-button widget-button";
        button.title = "Copy a line of Python that brings this explorer back as it is now";
        const name = "Copy settings";
        button.textContent = name;
        button.onclick = async () => {
            button.textContent = (await copied(model.get("text"))) ? "Copied" : "Copy the line below";
            setTimeout(() => { button.textContent = name; }, 1500);
        };
        el.append(button);

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
            model.off("change:frame", drawn);
            model.off("comm_live_update", end);
            leave();
        };
    },
};
