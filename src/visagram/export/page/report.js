(() => {
  const plot = document.getElementById("timeline");
  const figure = JSON.parse(document.getElementById("figure").textContent);
  // On a touch screen a drag scrolls the page; with a mouse it zooms.
  if (matchMedia("(pointer: coarse)").matches) figure.layout.dragmode = false;
  figure.layout.xaxis.nticks = Math.max(3, Math.floor(plot.clientWidth / 80));

  // Names above the lanes: those that fit at this width and zoom.
  const label = () => {
    const axis = plot._fullLayout.xaxis;
    const [start, end] = axis.range.map((edge) => axis.d2c(edge));
    const pixels = axis._length / (end - start);
    const traces = [...plot.data.keys()].filter((index) => plot.data[index].meta === "labels");
    const fitting = ([name, ms]) => (ms * pixels > name.length * 7 + 6 ? name : "");
    const text = traces.map((index) => plot.data[index].customdata.map(fitting));
    if (traces.some((index, nth) => text[nth].join() !== plot.data[index].text.join())) Plotly.restyle(plot, { text }, traces);
  };

  Plotly.newPlot(plot, figure.data, figure.layout, { displayModeBar: false, doubleClick: "reset", responsive: true }).then(() => {
    label();
    plot.on("plotly_relayout", label);
  });
  addEventListener("beforeprint", () => Plotly.relayout(plot, { width: 560, autosize: false }));
  addEventListener("afterprint", () => Plotly.relayout(plot, { width: null, autosize: true }));
})();
