"use strict";
(function () {
  var most = 300, points = [];
  var charts = { heartbeat: 1, events: 1, calls: 1, sessions: 1, latency: 1, errors: 1, queue: 1, fs_sessions: 1, fs_cpu: 1, connection: 1 };
  function cells(tr, values) {
    values.forEach(function (v) { var td = document.createElement("td"); td.textContent = v; tr.appendChild(td); });
    return tr;
  }
  function fill(id, rows) {
    var body = document.querySelector("#" + id + " tbody");
    body.replaceChildren.apply(body, rows.map(function (r) { return cells(document.createElement("tr"), r); }));
  }
  function rowFor(row) {
    var tr = document.querySelector('#rows tr[data-key="' + row.key + '"]');
    if (tr) return tr;
    tr = document.createElement("tr");
    tr.dataset.key = row.key;
    var th = document.createElement("th");
    th.scope = "row";
    th.textContent = row.name;
    tr.appendChild(th);
    cells(tr, ["", ""]);
    tr.lastChild.className = "chart";
    document.querySelector("#rows tbody").appendChild(tr);
    return tr;
  }
  function chart(td, key) {
    var ns = "http://www.w3.org/2000/svg", svg = td.firstChild;
    if (!svg) {
      svg = document.createElementNS(ns, "svg");
      svg.setAttribute("preserveAspectRatio", "none");
      svg.setAttribute("aria-hidden", "true");
      svg.appendChild(document.createElementNS(ns, "polyline"));
      td.appendChild(svg);
    }
    var top = points.reduce(function (m, p) { return Math.max(m, p[key] || 0); }, 0) || 1;
    var wide = Math.max(points.length, 60), first = wide - points.length;
    svg.setAttribute("viewBox", "0 0 " + (wide - 1) + " 100");
    svg.firstChild.setAttribute("points", points.map(function (p, i) {
      return (first + i) + "," + (97 - 94 * (p[key] || 0) / top).toFixed(1);
    }).join(" "));
  }
  function status(text, cls) {
    var s = document.getElementById("status");
    s.textContent = text;
    s.className = cls;
  }
  function show(s) {
    points.push(s.points);
    if (points.length > most) points.shift();
    status(s.status, s.class);
    var keys = {};
    s.rows.forEach(function (row) {
      keys[row.key] = 1;
      var tr = rowFor(row), td = tr.children[1];
      td.textContent = row.value;
      td.className = "value " + (row.class || "");
      if (charts[row.key]) chart(tr.children[2], row.key);
    });
    document.querySelectorAll("#rows tbody tr").forEach(function (tr) { if (!keys[tr.dataset.key]) tr.remove(); });
    fill("kinds", s.kinds);
    fill("calls", s.calls);
  }
  var source = new EventSource("/live");
  source.addEventListener("history", function (e) { points = JSON.parse(e.data); });
  source.onmessage = function (e) { show(JSON.parse(e.data)); };
  source.onerror = function () { status("this page has lost the program", "bad"); };
})();
