'use strict';
/* The gallery: cards to filter and sort, and a list of all mistakes below them.

The cards are in the page, with kind, true class, predicted class and confidence as data-*; player.js
plays the skeletons in them. The mistakes, in <script type="application/json" id="data-gallery">:

    names                              names of the classes
    ids, true, predicted, confidence   one entry per mistake, the most confident first
    total                              number of mistakes; the page may list fewer

The event 'report:pair' of the document (see confusion.js) filters by a pair of classes. */
(() => {
  const element = (id) => document.getElementById(id);
  const list = element('gallery-cards');
  if (list === null) return;
  const data = JSON.parse(element('data-gallery').textContent);
  const cards = [...list.children];
  const controls = Object.fromEntries(
    ['kind', 'class', 'true', 'predicted', 'order'].map((name) => [name, element(`gallery-${name}`)]),
  );
  const status = element('gallery-status');
  const PAGE = 100; // mistakes to list at a time
  let listed = PAGE;

  // Whether a sample passes the filters.
  const passes = (kind, truth, predicted) => {
    const value = (name) => controls[name].value;
    return (value('kind') === '' || value('kind') === kind)
      && (value('true') === '' || Number(value('true')) === truth)
      && (value('predicted') === '' || Number(value('predicted')) === predicted)
      && (value('class') === ''
        || Number(value('class')) === truth || Number(value('class')) === predicted);
  };

  const ORDERS = {
    sure: (a, b) => b.dataset.confidence - a.dataset.confidence,
    unsure: (a, b) => a.dataset.confidence - b.dataset.confidence,
    true: (a, b) => (
      data.names[a.dataset.true].localeCompare(data.names[b.dataset.true])
      || b.dataset.confidence - a.dataset.confidence),
  };
  const rank = { mistake: 0, hit: 1 };
  const sort = () => {
    const compare = ORDERS[controls.order.value];
    cards.sort((a, b) => rank[a.dataset.kind] - rank[b.dataset.kind] || compare(a, b));
    list.append(...cards);
  };

  const showMistakes = () => {
    const found = [];
    data.ids.forEach((_, index) => {
      if (passes('mistake', data.true[index], data.predicted[index])) found.push(index);
    });
    const rows = found.slice(0, listed).map((index) => {
      const row = document.createElement('tr');
      const texts = [
        data.ids[index],
        data.names[data.true[index]],
        data.names[data.predicted[index]],
        data.confidence[index].toFixed(3),
      ];
      texts.forEach((text, column) => {
        const cell = row.insertCell();
        cell.textContent = text;
        cell.className = column === 3 ? 'number' : 'text';
      });
      return row;
    });
    element('mistakes-rows').replaceChildren(...rows);
    const some = data.total > data.ids.length
      ? ` of the ${data.ids.length} most confident of ${data.total}` : ` of ${data.total}`;
    element('mistakes-summary').textContent = `Mistakes by name: ${found.length}${some}`;
    element('mistakes-more').hidden = found.length <= listed;
    return found.length;
  };

  const apply = () => {
    listed = PAGE;
    let visible = 0;
    for (const card of cards) {
      const { kind, true: truth, predicted } = card.dataset;
      card.hidden = !passes(kind, Number(truth), Number(predicted));
      if (!card.hidden) visible += 1;
    }
    const mistakes = showMistakes();
    let text = `${visible} of ${cards.length} samples of the gallery.`;
    if (visible === 0 && mistakes > 0) {
      text += ' None of these is in the gallery (enlarge it with --gallery); see the list below.';
      element('mistakes').open = true;
    }
    status.textContent = text;
  };

  for (const control of Object.values(controls)) {
    control.addEventListener('change', () => {
      if (control === controls.order) sort();
      apply();
    });
  }
  const clear = () => {
    for (const name of ['kind', 'class', 'true', 'predicted']) controls[name].value = '';
  };
  element('gallery-clear').addEventListener('click', () => {
    clear();
    apply();
  });
  element('mistakes-more').addEventListener('click', () => {
    listed += PAGE;
    showMistakes();
  });
  document.addEventListener('report:pair', ({ detail }) => {
    clear();
    controls.true.value = String(detail.truth);
    controls.predicted.value = String(detail.predicted);
    apply();
    const heading = list.closest('section').querySelector('h2');
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
    heading.scrollIntoView();
  });
  sort();
  apply();
})();
