// ipywidgets tells by its colour alone which toggle button is pressed: here those who cannot see it are told, too.

// A view is put into the page some time after it is made.
function attached(el, then) {
    if (el.isConnected) then();
    else requestAnimationFrame(() => attached(el, then));
}

export default {
    render({ el }) {
        el.style.display = "none";
        let place;
        const tell = () => place.querySelectorAll(".widget-toggle-button").forEach(
            toggle => toggle.setAttribute("aria-pressed", toggle.classList.contains("mod-active")));
        const observer = new MutationObserver(() => tell());
        attached(el, () => {
            place = el.parentElement.closest(".widget-box");
            observer.observe(place, { subtree: true, childList: true, attributeFilter: ["class"] });
            tell();
        });
        return () => observer.disconnect();
    },
};
