// A number: its name, a box that keeps what is typed until it is complete, and a slider. The slider's places are whole numbers;
// what stands at them is computed here, so that it can announce the number and not its exponent.

function spelled(value) {
    const short = Number(value.toPrecision(6));
    if (short !== 0 && (Math.abs(short) < 1e-3 || Math.abs(short) >= 1e6)) {
        return short.toExponential().replace("e+", "e");
    }
    return String(short);
}

function scale({ low, high, whole, log }) {
    // Half powers of two or tenths of powers of ten, ones, or hundredths of the way.
    const base = whole ? 2 : 10;
    const places = log ? Math.round((Math.log(high / low) / Math.log(base)) * (whole ? 2 : 10)) : whole ? high - low : 100;
    const limited = value => Math.min(Math.max(value, low), high);
    const at = place => {
        const part = place / places;
        const value = log ? low * (high / low) ** part : low + (high - low) * part;
        return limited(whole ? Math.round(value) : Number(value.toPrecision(3)));
    };
    const place = value => places * (log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low));
    return { places, at, place, limited };
}

export default {
    render({ model, el }) {
        const { low, high, whole, log, live, label, help } = Object.fromEntries(
            ["low", "high", "whole", "log", "live", "label", "help"].map(name => [name, model.get(name)]),
        );
        const { places, at, place, limited } = scale({ low, high, whole, log });
        const limits = `${spelled(low)} to ${spelled(high)}`;
        el.classList.add("sketchlab-number");
        const name = document.createElement("label");
        const box = Object.assign(document.createElement("input"), { type: "text", inputMode: "decimal", autocomplete: "off" });
        const slider = Object.assign(document.createElement("input"), { type: "range", min: 0, max: places, step: 1 });
        const note = document.createElement("small");
        name.textContent = label;
        name.htmlFor = box.id = `sketchlab-${Math.random().toString(36).slice(2)}`;
        name.title = box.title = slider.title = `${help || label} (${limits})`;
        slider.setAttribute("aria-label", `${label}, slider`);
        note.setAttribute("role", "note");
        el.append(name, box, slider, note);

        const set = value => {
            if (value !== model.get("value")) {
                model.set("value", value);
                model.save_changes();
            }
        };
        const show = value => {
            box.value = spelled(value);
            slider.setAttribute("aria-valuetext", spelled(value));
        };
        const follow = () => {
            const value = model.get("value");
            show(value);
            // Where the slider stands for this number already, moving it would pull it from under the pointer.
            if (at(Number(slider.value)) !== value) slider.value = Math.round(place(value));
        };
        const typed = () => {
            const text = box.value.trim().replace("−", "-");
            const given = text === "" ? NaN : Number(text);
            const value = Number.isNaN(given) ? model.get("value") : limited(whole ? Math.round(given) : given);
            note.textContent = Number.isNaN(given)
                ? `“${box.value}” is no number: ${spelled(value)} stays.`
                : value === given
                  ? ""
                  : `${spelled(given)} moved to ${spelled(value)}: ${whole ? "whole numbers, " : ""}${limits}.`;
            set(value);
            follow();
        };
        const move = steps => {
            note.textContent = "";
            const next = at(Math.min(Math.max(Number(slider.value) + steps, 0), places));
            set(next);
            follow();
        };
        box.addEventListener("change", typed);
        box.addEventListener("focus", () => { note.textContent = limits; });
        box.addEventListener("blur", () => { if (note.textContent === limits) note.textContent = ""; });
        // JupyterLab has meanings of its own for keys, and would have them first.
        const tenth = Math.max(1, Math.round(places / 10));
        const up = { ArrowUp: 1, ArrowDown: -1 };
        const along = { ...up, ArrowRight: 1, ArrowLeft: -1, PageUp: tenth, PageDown: -tenth, Home: -places, End: places };
        const keys = (element, moves) => element.addEventListener("keydown", event => {
            if (event.key in moves) {
                event.preventDefault();
                event.stopPropagation();
                move(moves[event.key]);
            }
        });
        keys(box, up);
        keys(slider, along);
        box.addEventListener("keydown", event => {
            if (event.key !== "Enter") return;
            // Else the page reports the same change once more, and what was said of it is gone.
            event.preventDefault();
            typed();
        });
        el.dataset.lmSuppressShortcuts = "true";
        slider.addEventListener("input", () => {
            note.textContent = "";
            const value = at(Number(slider.value));
            show(value);
            if (live) set(value);
        });
        slider.addEventListener("change", () => set(at(Number(slider.value))));
        const enable = () => { box.disabled = slider.disabled = model.get("disabled"); };
        model.on("change:value", follow);
        model.on("change:disabled", enable);
        follow();
        enable();
        return () => {
            model.off("change:value", follow);
            model.off("change:disabled", enable);
        };
    },
};
