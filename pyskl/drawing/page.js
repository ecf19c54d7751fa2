'use strict';
// For every page: switch between light and dark, and sort tables.
(() => {
  const root = document.documentElement;
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  const apply = (theme) => { root.dataset.theme = theme; };
  apply(dark.matches ? 'dark' : 'light');
  dark.addEventListener('change', (event) => apply(event.matches ? 'dark' : 'light'));

  const numberOf = (text) => {
    const value = Number(text.replace(/[,\s%]/g, ''));
    return text.trim() === '' || Number.isNaN(value) ? null : value;
  };
  // Numbers before words; empty cells last in both directions.
  const compare = (a, b, sign) => {
    const empty = [a, b].map((text) => ['', '–'].includes(text.trim()));
    if (empty[0] !== empty[1]) return empty[0] ? 1 : -1;
    const [x, y] = [numberOf(a), numberOf(b)];
    if (x !== null && y !== null) return sign * (x - y);
    if (x !== null) return -sign;
    if (y !== null) return sign;
    return sign * a.localeCompare(b);
  };
  const sortBy = (header) => {
    const table = header.closest('table');
    const column = [...header.parentNode.children].indexOf(header);
    const descending = header.getAttribute('aria-sort') === 'ascending';
    for (const other of header.parentNode.children) other.removeAttribute('aria-sort');
    header.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
    const rows = [...table.tBodies[0].rows];
    const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
    rows.sort((a, b) => compare(key(a), key(b), descending ? -1 : 1));
    table.tBodies[0].append(...rows);
  };

  document.addEventListener('DOMContentLoaded', () => {
    document.getElementById('theme').addEventListener('click', () => {
      apply(root.dataset.theme === 'dark' ? 'light' : 'dark');
    });
    for (const button of document.querySelectorAll('table.sortable th button')) {
      button.addEventListener('click', () => sortBy(button.closest('th')));
    }
  });
})();
