(function () {
  "use strict";
  var charts = JSON.parse(document.getElementById("figures").textContent);
  var colours = ["#3f7cc4", "#d9822b", "#3f9d6c", "#9a6bc0", "#c2527a", "#3a9bab", "#8f8a2e", "#7d8590"];
  var named = { good: "#3f9d6c", part: "#d9a02b", gone: "#cf5347" };
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  var units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  var say = {
    count: function (n) { return n.toLocaleString("en-US"); },
    bytes: function (n) {
      var unit = 0;
      while (n >= 1024 && unit < 5) { n /= 1024; unit += 1; }
      return (unit ? (Math.floor(n * 10) / 10).toFixed(1) : n) + " " + units[unit];
    },
    seconds: function (n) {
      if (n < 60) { return n + " s"; }
      return n < 3600 ? Math.floor(n / 60) + " min " + Math.floor(n % 60) + " s"
        : Math.floor(n / 3600) + " h " + Math.floor(n / 60 % 60) + " min";
    }
  };
  var shown = [];
  // Round numbers of bytes are round in their unit.
  function step(chart) {
    if (chart.unit !== "bytes") { return undefined; }
    var most = Math.max.apply(null, chart.x.map(function (_, index) {
      return chart.series.reduce(function (sum, one) { return sum + one.data[index]; }, 0);
    }));
    var unit = Math.pow(1024, Math.floor(Math.log(Math.max(most, 1)) / Math.log(1024)));
    var rough = most / unit / 4, ten = Math.pow(10, Math.floor(Math.log10(rough)));
    var nice = [1, 2, 5, 10].filter(function (n) { return n * ten >= rough; })[0];
    return Math.max(1, nice * ten * unit);
  }
  function option(chart) {
    var style = getComputedStyle(document.body);
    var ink = style.color, quiet = style.getPropertyValue("--quiet"), line = style.getPropertyValue("--line");
    var tell = say[chart.unit];
    var none = function (n) { return n === null || n === undefined ? "\u2013" : tell(n); };
    return {
      animation: false,
      color: colours,
      textStyle: { fontFamily: style.fontFamily, color: ink },
      grid: { left: 8, right: 12, top: 40, bottom: 8, containLabel: true },
      legend: {
        type: "scroll", top: 0, left: 0, right: 0, itemWidth: 12, itemHeight: 10, textStyle: { color: ink },
        pageTextStyle: { color: ink }, pageIconColor: quiet, pageIconInactiveColor: line
      },
      tooltip: {
        trigger: "axis", renderMode: "richText", confine: true, valueFormatter: none,
        backgroundColor: style.backgroundColor, borderColor: line, textStyle: { color: ink, fontSize: 12, fontFamily: style.fontFamily },
        axisPointer: { type: chart.kind === "bar" ? "shadow" : "line" }
      },
      xAxis: {
        type: "category", data: chart.x, axisLine: { lineStyle: { color: line } }, axisTick: { show: false },
        axisLabel: { color: quiet, hideOverlap: true }
      },
      yAxis: {
        type: "value", minInterval: 1, interval: step(chart), splitLine: { lineStyle: { color: line } },
        axisLabel: { color: quiet, formatter: tell }
      },
      series: chart.series.map(function (one) {
        return {
          name: one.name, type: chart.kind, stack: chart.kind === "bar" ? "all" : undefined, data: one.data,
          barMaxWidth: 28, symbolSize: 6, connectNulls: false,
          itemStyle: one.colour ? { color: named[one.colour] } : undefined
        };
      })
    };
  }
  function draw() {
    shown.splice(0).forEach(function (one) { one.dispose(); });
    // All places first: each takes its width from the ones beside it.
    var places = charts.map(function (chart) { return document.getElementById(chart.id); });
    places.forEach(function (place) { place.hidden = false; });
    charts.forEach(function (chart, index) {
      var place = places[index];
      var one = echarts.init(place, null, { renderer: "svg" });
      one.setOption(option(chart));
      shown.push(one);
    });
  }
  function fit() { shown.forEach(function (one) { one.resize(); }); }
  draw();
  dark.addEventListener("change", draw);
  new ResizeObserver(fit).observe(document.body);
  window.addEventListener("beforeprint", fit);
  window.addEventListener("afterprint", fit);
})();
