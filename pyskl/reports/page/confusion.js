'use strict';
/* The confusion matrix on a canvas: it zooms, moves, sorts, and reads its cells out.

The data, in <script type="application/json" id="data-confusion">, is

    names    of the classes, L
    cells    true class, predicted class, count, and so on for each cell that is not zero
    orders   by name, the classes in the order in which they are shown
    worst    [true, predicted] of the worst pairs

A chosen cell is told to the rest of the page by the event 'report:pair' of the document, with
{truth, predicted} in its detail. canvas.matrix is what follows; tests use it. */
(() => {
  const canvas = document.getElementById('confusion-matrix');
  if (canvas === null) return;
  const element = (id) => document.getElementById(id);
  const data = JSON.parse(element('data-confusion').textContent);
  const L = data.names.length;
  const readout = element('confusion-readout');

  const rows = Array.from({ length: L }, () => new Map()); // by true class: predicted -> count
  const totals = new Array(L).fill(0);
  for (let i = 0; i < data.cells.length; i += 3) {
    const [truth, predicted, count] = data.cells.slice(i, i + 3);
    rows[truth].set(predicted, count);
    totals[truth] += count;
  }
  const count = (truth, predicted) => rows[truth].get(predicted) ?? 0;

  const MOST_ZOOM = Math.max(L / 4, 1);
  const LEAST_NAME = 11; // pixels of a cell whose row has room for a name
  const view = { zoom: 1, x: 0, y: 0 }; // the upper left corner, in cells
  let order = data.orders.label;
  let places = [];
  let focused = null; // [row, column] as shown
  let pair = -1; // of the worst pairs, the one last gone to

  const arrange = (name) => {
    const chosen = focused === null ? null : focused.map((at) => order[at]);
    order = data.orders[name];
    places = [];
    order.forEach((label, at) => { places[label] = at; });
    if (chosen !== null) focused = chosen.map((label) => places[label]);
  };
  arrange('label');

  // --- geometry ---------------------------------------------------------------------------------
  const frame = () => {
    const wide = canvas.clientWidth;
    const left = Math.min(Math.max(wide * 0.26, 46), 190);
    const top = Math.min(left, 110);
    const side = Math.min(wide - left - 2, 620);
    return { left, top, side, cell: (side / L) * view.zoom, wide, high: top + side + 2 };
  };
  const clamp = () => {
    view.zoom = Math.min(Math.max(view.zoom, 1), MOST_ZOOM);
    const most = L - L / view.zoom;
    view.x = Math.min(Math.max(view.x, 0), most);
    view.y = Math.min(Math.max(view.y, 0), most);
  };
  const cellAt = (x, y) => {
    const { left, top, side, cell } = frame();
    if (x < left || y < top || x >= left + side || y >= top + side) return null;
    const found = [Math.floor((y - top) / cell + view.y), Math.floor((x - left) / cell + view.x)];
    return found.every((at) => at >= 0 && at < L) ? found : null;
  };
  const middleOf = ([row, column]) => {
    const { left, top, cell } = frame();
    return [left + (column + 0.5 - view.x) * cell, top + (row + 0.5 - view.y) * cell];
  };
  const zoom = (factor, at) => {
    const { left, top, side, cell } = frame();
    const [x, y] = at ?? (focused === null
      ? [left + side / 2, top + side / 2] : middleOf(focused));
    const [column, row] = [(x - left) / cell + view.x, (y - top) / cell + view.y];
    view.zoom *= factor;
    view.zoom = Math.min(Math.max(view.zoom, 1), MOST_ZOOM);
    const after = frame().cell;
    view.x = column - (x - left) / after;
    view.y = row - (y - top) / after;
    clamp();
    draw();
  };
  const bringIntoView = () => {
    const seen = L / view.zoom;
    const [row, column] = focused;
    view.x = Math.min(Math.max(view.x, column + 1 - seen), column);
    view.y = Math.min(Math.max(view.y, row + 1 - seen), row);
    clamp();
  };

  // --- what is told -----------------------------------------------------------------------------
  const words = ([row, column]) => {
    const [truth, predicted] = [order[row], order[column]];
    const n = count(truth, predicted);
    const share = totals[truth] ? ` (${((100 * n) / totals[truth]).toFixed(1)} %)` : '';
    return `${data.names[truth]} → ${data.names[predicted]}: ${n}${share}`;
  };
  const focus = (at) => {
    focused = at;
    readout.textContent = words(at);
    draw();
  };
  const choose = (at) => {
    focus(at);
    const [truth, predicted] = [order[at[0]], order[at[1]]];
    if (count(truth, predicted) === 0) return;
    document.dispatchEvent(new CustomEvent('report:pair', { detail: { truth, predicted } }));
  };

  // --- drawing ----------------------------------------------------------------------------------
  const shortened = (pen, text, room) => {
    if (pen.measureText(text).width <= room) return text;
    let cut = text;
    while (cut.length > 1 && pen.measureText(`${cut}…`).width > room) cut = cut.slice(0, -1);
    return `${cut}…`;
  };
  let queued = false;
  const draw = () => {
    if (queued) return;
    queued = true;
    requestAnimationFrame(() => {
      queued = false;
      paint();
    });
  };
  const paint = () => {
    if (!(canvas.clientWidth > 0)) return;
    const { left, top, side, cell, wide, high } = frame();
    const ratio = window.devicePixelRatio || 1;
    canvas.style.height = `${high}px`;
    // Fingers move a part of the matrix; the whole of it they scroll past.
    canvas.style.touchAction = view.zoom > 1 ? 'none' : 'auto';
    canvas.width = Math.round(wide * ratio);
    canvas.height = Math.round(high * ratio);
    const style = getComputedStyle(document.documentElement);
    const colour = (role) => style.getPropertyValue(`--${role}`).trim();
    const [text, faint, ground] = [colour('text'), colour('faint'), colour('ground')];
    const [right, wrong] = [colour('accent'), colour('bad')];
    const pen = canvas.getContext('2d');
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, wide, high);
    pen.font = '11px system-ui, sans-serif';
    pen.textBaseline = 'middle';

    const from = [Math.floor(view.y), Math.floor(view.x)];
    const to = from.map((at) => Math.min(at + Math.ceil(side / cell) + 1, L));
    pen.save();
    pen.beginPath();
    pen.rect(left, top, side, side);
    pen.clip();
    pen.fillStyle = colour('raised');
    pen.fillRect(left, top, side, side);
    const gap = cell >= 6 ? 1 : 0;
    for (let row = from[0]; row < to[0]; row += 1) {
      const truth = order[row];
      const y = top + (row - view.y) * cell;
      if (gap) {
        pen.fillStyle = ground;
        pen.fillRect(left, y + cell - gap, side, gap);
      }
      for (const [predicted, n] of rows[truth]) {
        const column = places[predicted];
        if (column < from[1] || column >= to[1]) continue;
        const x = left + (column - view.x) * cell;
        const share = n / totals[truth];
        const alpha = 0.08 + 0.92 * Math.sqrt(share); // the root shows the few that go astray
        pen.globalAlpha = alpha;
        pen.fillStyle = truth === predicted ? right : wrong;
        pen.fillRect(x, y, cell - gap, cell - gap);
        pen.globalAlpha = 1;
        if (cell >= 24) {
          pen.fillStyle = alpha > 0.6 ? ground : text;
          pen.textAlign = 'center';
          pen.fillText(shortened(pen, String(n), cell - 2), x + cell / 2, y + cell / 2);
        }
      }
    }
    if (gap) {
      pen.fillStyle = ground;
      for (let column = from[1]; column <= to[1]; column += 1) {
        pen.fillRect(left + (column - view.x) * cell - gap, top, gap, side);
      }
    }
    if (focused !== null) {
      const [x, y] = middleOf(focused).map((middle) => middle - cell / 2);
      const wider = Math.max(7 - cell, 0) / 2;
      pen.strokeStyle = text;
      pen.lineWidth = 2;
      pen.strokeRect(x - wider, y - wider, cell - gap + 2 * wider, cell - gap + 2 * wider);
    }
    pen.restore();
    drawNames(pen, { left, top, side, cell, from, to, text, faint });
  };

  const drawNames = (pen, { left, top, side, cell, from, to, text, faint }) => {
    const named = cell >= LEAST_NAME;
    const every = named ? 1 : Math.ceil(LEAST_NAME / cell);
    const label = (at, room) => (
      named ? shortened(pen, data.names[order[at]], room) : String(order[at]));
    const write = (at, is, place) => {
      pen.fillStyle = is ? text : faint;
      pen.font = `${is ? '600 ' : ''}11px system-ui, sans-serif`;
      place();
    };
    const middle = (at, offset) => (at + 0.5 - offset) * cell;
    for (let row = from[0]; row < to[0]; row += 1) {
      const y = top + middle(row, view.y);
      const is = focused !== null && focused[0] === row;
      if (y < top || y > top + side || (row % every !== 0 && !is)) continue;
      if (!named && !is && focused !== null && Math.abs(focused[0] - row) < every) continue;
      pen.textAlign = 'right';
      write(row, is, () => pen.fillText(label(row, left - 8), left - 5, y));
    }
    for (let column = from[1]; column < to[1]; column += 1) {
      const x = left + middle(column, view.x);
      const is = focused !== null && focused[1] === column;
      if (x < left || x > left + side || (column % every !== 0 && !is)) continue;
      if (!named && !is && focused !== null && Math.abs(focused[1] - column) < every) continue;
      pen.save();
      pen.translate(x, top - 5);
      pen.rotate(-Math.PI / 2);
      pen.textAlign = 'left';
      write(column, is, () => pen.fillText(label(column, top - 18), 0, 0));
      pen.restore();
    }
    pen.fillStyle = faint;
    pen.font = 'italic 11px system-ui, sans-serif';
    pen.textAlign = 'right';
    pen.fillText('predicted →', left - 5, top - 24);
    pen.fillText('true ↓', left - 5, top - 8);
  };

  // --- what steers it ---------------------------------------------------------------------------
  element('confusion-order').addEventListener('change', (event) => {
    arrange(event.target.value);
    if (focused !== null) bringIntoView();
    draw();
  });
  const reset = () => {
    Object.assign(view, { zoom: 1, x: 0, y: 0 });
    draw();
  };
  element('confusion-in').addEventListener('click', () => zoom(1.5));
  element('confusion-out').addEventListener('click', () => zoom(1 / 1.5));
  element('confusion-reset').addEventListener('click', reset);

  const goTo = (step) => {
    if (data.worst.length === 0) return;
    pair = (pair + step + data.worst.length) % data.worst.length;
    focused = data.worst[pair].map((label) => places[label]);
    bringIntoView();
    focus(focused);
  };
  const move = (down, across) => {
    const [row, column] = focused ?? [0, 0];
    const step = focused === null ? [0, 0] : [down, across];
    const clip = (at) => Math.min(Math.max(at, 0), L - 1);
    focused = [clip(row + step[0]), clip(column + step[1])];
    bringIntoView();
    focus(focused);
  };
  canvas.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const actions = {
      ArrowUp: () => move(-1, 0),
      ArrowDown: () => move(1, 0),
      ArrowLeft: () => move(0, -1),
      ArrowRight: () => move(0, 1),
      Home: () => move(0, -L),
      End: () => move(0, L),
      '+': () => zoom(1.5),
      '-': () => zoom(1 / 1.5),
      0: reset,
      n: () => goTo(1),
      p: () => goTo(-1),
      Enter: () => { if (focused !== null) choose(focused); },
      ' ': () => { if (focused !== null) choose(focused); },
    };
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (action === undefined) return;
    event.preventDefault();
    action();
  });
  canvas.addEventListener('wheel', (event) => {
    if (!event.ctrlKey && document.activeElement !== canvas) return; // else it scrolls the page
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 400), [event.offsetX, event.offsetY]);
  }, { passive: false });

  let drag = null;
  canvas.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    drag = { x: event.clientX, y: event.clientY, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', (event) => {
    if (drag === null) {
      const at = cellAt(event.offsetX, event.offsetY);
      if (at !== null && String(at) !== String(focused)) focus(at);
      return;
    }
    const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
    if (!drag.moved && Math.hypot(dx, dy) < 5) return;
    drag = { x: event.clientX, y: event.clientY, moved: true };
    const { cell } = frame();
    view.x -= dx / cell;
    view.y -= dy / cell;
    clamp();
    draw();
  });
  canvas.addEventListener('pointerup', (event) => {
    const clicked = drag !== null && !drag.moved;
    drag = null;
    const at = clicked ? cellAt(event.offsetX, event.offsetY) : null;
    if (at !== null) choose(at);
  });
  canvas.addEventListener('pointercancel', () => { drag = null; });

  for (const button of document.querySelectorAll('button.link[data-true]')) {
    button.addEventListener('click', () => {
      choose([places[button.dataset.true], places[button.dataset.predicted]]);
    });
  }
  new MutationObserver(draw).observe(document.documentElement, {
    attributes: true, attributeFilter: ['data-theme'],
  });
  new ResizeObserver(draw).observe(canvas);
  canvas.matrix = {
    view,
    placeOf: (truth, predicted) => middleOf([places[truth], places[predicted]]),
    get order() { return order; },
    get focused() { return focused === null ? null : focused.map((at) => order[at]); },
  };
  draw();
})();
