'use strict';
/* The confusion matrix on a canvas: zoom, pan, sort, and read its cells.

The data, in <script type="application/json" id="data-confusion">:

    names    names of the L classes
    cells    true class, predicted class, count of each cell that is not zero, in one list
    orders   by name, the classes in the order to show them in
    worst    [true, predicted] of the most confused pairs

Choosing a cell dispatches the event 'report:pair' on the document, with {truth, predicted} as its
detail. canvas.matrix is for tests. */
(() => {
  const element = (id) => document.getElementById(id);
  const canvas = element('confusion-matrix');
  if (canvas === null) return;
  const data = JSON.parse(element('data-confusion').textContent);
  const L = data.names.length;

  const rows = Array.from({ length: L }, () => new Map()); // by true class: predicted -> count
  const totals = new Array(L).fill(0);
  for (let i = 0; i < data.cells.length; i += 3) {
    const [truth, predicted, count] = data.cells.slice(i, i + 3);
    rows[truth].set(predicted, count);
    totals[truth] += count;
  }

  const MAX_ZOOM = Math.max(L / 4, 1);
  const MIN_LABELLED = 11; // pixels of a cell whose row has room for its name
  const view = { zoom: 1, x: 0, y: 0 }; // x, y: the upper left corner, in cells
  let order = data.orders.label;
  const positions = []; // of each class in the order
  let focused = null; // [row, column]
  let pair = -1; // index of the last pair chosen by N or P

  const clip = (value, low, high) => Math.min(Math.max(value, low), high);
  const sortBy = (name) => {
    const classes = focused?.map((at) => order[at]);
    order = data.orders[name];
    order.forEach((label, at) => { positions[label] = at; });
    focused = classes?.map((label) => positions[label]) ?? null;
  };
  sortBy('label');

  // --- geometry ---------------------------------------------------------------------------------
  const frame = () => {
    const width = canvas.clientWidth;
    const left = clip(width * 0.26, 46, 190);
    const top = Math.min(left, 110);
    const side = Math.min(width - left - 2, 620);
    return { left, top, side, cell: (side / L) * view.zoom, width, height: top + side + 2 };
  };
  const moveTo = (x, y) => {
    const most = L - L / view.zoom;
    view.x = clip(x, 0, most);
    view.y = clip(y, 0, most);
  };
  const cellAt = (x, y) => {
    const { left, top, side, cell } = frame();
    if (x < left || y < top || x >= left + side || y >= top + side) return null;
    const found = [Math.floor((y - top) / cell + view.y), Math.floor((x - left) / cell + view.x)];
    return found.every((at) => at >= 0 && at < L) ? found : null;
  };
  const centerOf = ([row, column]) => {
    const { left, top, cell } = frame();
    return [left + (column + 0.5 - view.x) * cell, top + (row + 0.5 - view.y) * cell];
  };
  // Zoom around a point of the canvas, by default the focused cell or else the center.
  const zoom = (factor, at) => {
    const { left, top, side, cell } = frame();
    const [x, y] = at ?? (focused ? centerOf(focused) : [left + side / 2, top + side / 2]);
    const [column, row] = [(x - left) / cell + view.x, (y - top) / cell + view.y];
    view.zoom = clip(view.zoom * factor, 1, MAX_ZOOM);
    const after = frame().cell;
    moveTo(column - (x - left) / after, row - (y - top) / after);
    draw();
  };
  const resetView = () => {
    Object.assign(view, { zoom: 1, x: 0, y: 0 });
    draw();
  };

  // --- focus and choice -------------------------------------------------------------------------
  const focus = (at, { scroll = false } = {}) => {
    focused = at;
    const [row, column] = at;
    const [truth, predicted] = [order[row], order[column]];
    const count = rows[truth].get(predicted) ?? 0;
    const share = totals[truth] ? ` (${((100 * count) / totals[truth]).toFixed(1)} %)` : '';
    element('confusion-readout').textContent = (
      `${data.names[truth]} → ${data.names[predicted]}: ${count}${share}`);
    if (scroll) {
      const visible = L / view.zoom;
      moveTo(clip(view.x, column + 1 - visible, column), clip(view.y, row + 1 - visible, row));
    }
    draw();
  };
  const choose = (at) => {
    focus(at);
    const [truth, predicted] = at.map((place) => order[place]);
    if (!rows[truth].has(predicted)) return;
    document.dispatchEvent(new CustomEvent('report:pair', { detail: { truth, predicted } }));
  };
  const moveFocus = (down, across) => {
    const [row, column] = focused ?? [0, 0];
    const step = focused === null ? [0, 0] : [down, across];
    focus([clip(row + step[0], 0, L - 1), clip(column + step[1], 0, L - 1)], { scroll: true });
  };
  const focusPair = (step) => {
    if (data.worst.length === 0) return;
    pair = (pair + step + data.worst.length) % data.worst.length;
    focus(data.worst[pair].map((label) => positions[label]), { scroll: true });
  };

  // --- drawing ----------------------------------------------------------------------------------
  let queued = false;
  const draw = () => {
    if (queued) return;
    queued = true;
    requestAnimationFrame(() => {
      queued = false;
      if (canvas.clientWidth > 0) paint();
    });
  };
  const shortened = (pen, text, width) => {
    let cut = text;
    while (cut.length > 1 && pen.measureText(cut).width > width) {
      cut = `${cut.replace(/…$/, '').slice(0, -1)}…`;
    }
    return cut;
  };
  const paint = () => {
    const { left, top, side, cell, width, height } = frame();
    const ratio = window.devicePixelRatio || 1;
    canvas.style.height = `${height}px`;
    // On touch screens, dragging pans a zoomed matrix; over the whole matrix it scrolls the page.
    canvas.style.touchAction = view.zoom > 1 ? 'none' : 'auto';
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const style = getComputedStyle(document.documentElement);
    const [text, faint, ground, raised, accent, bad] = (
      ['text', 'faint', 'ground', 'raised', 'accent', 'bad'].map(
        (role) => style.getPropertyValue(`--${role}`).trim()));
    const pen = canvas.getContext('2d');
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.textBaseline = 'middle';

    const first = [Math.floor(view.y), Math.floor(view.x)];
    const end = first.map((at) => Math.min(at + Math.ceil(side / cell) + 1, L));
    const gap = cell >= 6 ? 1 : 0;
    pen.save();
    pen.beginPath();
    pen.rect(left, top, side, side);
    pen.clip();
    pen.fillStyle = raised;
    pen.fillRect(left, top, side, side);
    pen.font = '11px system-ui, sans-serif';
    pen.textAlign = 'center';
    for (let row = first[0]; row < end[0]; row += 1) {
      const truth = order[row];
      const y = top + (row - view.y) * cell;
      for (const [predicted, count] of rows[truth]) {
        const column = positions[predicted];
        if (column < first[1] || column >= end[1]) continue;
        const x = left + (column - view.x) * cell;
        const alpha = 0.08 + 0.92 * Math.sqrt(count / totals[truth]); // sqrt shows rare mistakes
        pen.globalAlpha = alpha;
        pen.fillStyle = truth === predicted ? accent : bad;
        pen.fillRect(x, y, cell, cell);
        pen.globalAlpha = 1;
        if (cell >= 24) {
          pen.fillStyle = alpha > 0.6 ? ground : text;
          pen.fillText(shortened(pen, String(count), cell - 2), x + cell / 2, y + cell / 2);
        }
      }
    }
    if (gap) {
      pen.fillStyle = ground;
      for (let row = first[0]; row <= end[0]; row += 1) {
        pen.fillRect(left, top + (row - view.y) * cell - gap, side, gap);
      }
      for (let column = first[1]; column <= end[1]; column += 1) {
        pen.fillRect(left + (column - view.x) * cell - gap, top, gap, side);
      }
    }
    if (focused !== null) {
      const [x, y] = centerOf(focused);
      const size = Math.max(cell - gap, 7 - gap);
      pen.strokeStyle = text;
      pen.lineWidth = 2;
      pen.strokeRect(x - (gap + size) / 2, y - (gap + size) / 2, size, size);
    }
    pen.restore();

    // Names of the classes if there is room, otherwise some of their numbers.
    const named = cell >= MIN_LABELLED;
    const every = named ? 1 : Math.ceil(MIN_LABELLED / cell);
    const labels = (axis, offset, width, write) => {
      for (let at = first[axis]; at < end[axis]; at += 1) {
        const middle = (at + 0.5 - offset) * cell;
        const isFocused = focused?.[axis] === at;
        const overlaps = focused !== null && Math.abs(focused[axis] - at) < every;
        const shows = isFocused || (at % every === 0 && (named || !overlaps));
        if (!shows || middle < 0 || middle > side) continue;
        pen.fillStyle = isFocused ? text : faint;
        pen.font = `${isFocused ? '600 ' : ''}11px system-ui, sans-serif`;
        write(named ? shortened(pen, data.names[order[at]], width) : String(order[at]), middle);
      }
    };
    pen.textAlign = 'right';
    labels(0, view.y, left - 8, (label, y) => pen.fillText(label, left - 5, top + y));
    pen.textAlign = 'left';
    labels(1, view.x, top - 18, (label, x) => {
      pen.save();
      pen.translate(left + x, top - 5);
      pen.rotate(-Math.PI / 2);
      pen.fillText(label, 0, 0);
      pen.restore();
    });
    pen.fillStyle = faint;
    pen.font = 'italic 11px system-ui, sans-serif';
    pen.textAlign = 'right';
    pen.fillText('predicted →', left - 5, top - 24);
    pen.fillText('true ↓', left - 5, top - 8);
  };

  // --- controls ---------------------------------------------------------------------------------
  element('confusion-order').addEventListener('change', (event) => {
    sortBy(event.target.value);
    if (focused !== null) focus(focused, { scroll: true });
    draw();
  });
  element('confusion-in').addEventListener('click', () => zoom(1.5));
  element('confusion-out').addEventListener('click', () => zoom(1 / 1.5));
  element('confusion-reset').addEventListener('click', resetView);

  const chooseFocused = () => { if (focused !== null) choose(focused); };
  const keys = {
    ArrowUp: () => moveFocus(-1, 0),
    ArrowDown: () => moveFocus(1, 0),
    ArrowLeft: () => moveFocus(0, -1),
    ArrowRight: () => moveFocus(0, 1),
    Home: () => moveFocus(0, -L),
    End: () => moveFocus(0, L),
    '+': () => zoom(1.5),
    '-': () => zoom(1 / 1.5),
    0: resetView,
    n: () => focusPair(1),
    p: () => focusPair(-1),
    Enter: chooseFocused,
    ' ': chooseFocused,
  };
  canvas.addEventListener('keydown', (event) => {
    const action = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (action === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    action();
  });
  canvas.addEventListener('wheel', (event) => {
    if (!event.ctrlKey && document.activeElement !== canvas) return; // let the page scroll
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
    moveTo(view.x - dx / cell, view.y - dy / cell);
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
      choose([positions[button.dataset.true], positions[button.dataset.predicted]]);
    });
  }
  new MutationObserver(draw).observe(document.documentElement, {
    attributes: true, attributeFilter: ['data-theme'],
  });
  new ResizeObserver(draw).observe(canvas);
  canvas.matrix = {
    view,
    placeOf: (truth, predicted) => centerOf([positions[truth], positions[predicted]]),
    get order() { return order; },
    get focused() { return focused?.map((at) => order[at]) ?? null; },
  };
  draw();
})();
