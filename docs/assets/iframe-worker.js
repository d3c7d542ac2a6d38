// Browsers start no worker from a file on disk. The search of the site runs in a hidden frame instead.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.onmessage = null;
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.appendChild(frame);
      const inside = frame.contentWindow;
      window.addEventListener("message", (event) => {
        if (event.source !== inside) return;
        event.stopImmediatePropagation();
        const message = new MessageEvent("message", { data: event.data });
        this.dispatchEvent(message);
        if (this.onmessage) this.onmessage(message);
      });
      this.ready = new Promise((resolve) => frame.addEventListener("load", resolve));
      this.inside = inside;
      inside.document.open();
      inside.document.write(
        "<!doctype html><script>postMessage = (data) => parent.dispatchEvent(new MessageEvent('message', " +
          "{ data, source: window }));</scr" + "ipt><script src='" + url + "'></scr" + "ipt>"
      );
      inside.document.close();
    }
    postMessage(data) {
      this.ready.then(() => this.inside.dispatchEvent(new MessageEvent("message", { data })));
    }
    terminate() {}
  };
}
