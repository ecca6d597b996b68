// Runs at the end of a copy of report.html, with the text of report.json as the constant `report`: looks at the page as
// a reader would and posts what is wrong to the page around it. page.sh prints that.
'use strict';
const found = window.errors; // of scripts, since the first line of the page
async function check() {
  const say = text => found.push(text);
  for (let wait = 0; wait < 200 && !document.documentElement.classList.contains('ready'); ++wait) {
    await new Promise(done => setTimeout(done, 20));
  }
  if (!document.documentElement.classList.contains('ready')) say('the maps are never ready');
  await new Promise(done => setTimeout(done, 100));

  // ---- Nothing is fetched ----
  for (const entry of performance.getEntriesByType('resource')) {
    if (!/^(data|blob):/.test(entry.name)) say(`fetches ${entry.name}`);
  }

  // ---- Every picture is there ----
  const sprites = [...document.getElementById('sprites').sheet.cssRules].filter(r => r.style.backgroundImage);
  const pictures = report.data.inputs === 'pictures';
  if (sprites.length !== (pictures ? 4 : 0)) say(`${sprites.length} sprite sheets`);
  for (const rule of sprites) {
    const image = new Image();
    image.src = rule.style.backgroundImage.slice(5, -2);
    await new Promise(done => { image.onload = image.onerror = done; });
    if (!image.naturalWidth) say(`${rule.selectorText}: its picture is empty`);
  }
  for (const image of document.images) if (!image.naturalWidth) say(`the picture ${image.id} is empty`);
  for (const cell of document.querySelectorAll('.cell')) {
    if (getComputedStyle(cell).backgroundImage === 'none' || !cell.getAttribute('aria-label')) say('a cell without a map');
  }
  for (const canvas of document.querySelectorAll('.panes canvas')) {
    const p = canvas.getContext('2d', {willReadFrequently: true}).getImageData(0, 0, canvas.width, canvas.height).data;
    if (new Set(p).size < 4) say(`the scrubber's ${canvas.id} is of one colour`);
  }

  // ---- No text is cut off, none lies upon another ----
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) say(`the page is ${root.scrollWidth} wide in a window of ${root.clientWidth}`);
  for (const element of document.querySelectorAll('main *')) {
    const own = [...element.childNodes].some(n => n.nodeType === Node.TEXT_NODE && n.data.trim());
    if (!own || element.namespaceURI.endsWith('svg') || element.closest('select')) continue;
    if (element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).display !== 'inline') {
      say(`cut off: <${element.localName}> ${element.textContent.trim().slice(0, 40)}`);
    }
  }
  const plots = document.querySelectorAll('.plot');
  if (window.d3 && plots.length < 7) say(`${plots.length} charts`);
  for (const plot of plots) {
    const name = plot.closest('figure').dataset.figure, svg = plot.querySelector('svg');
    if (!window.d3) continue;
    if (!svg) { say(`${name}: no chart`); continue; }
    if (!plot.getAttribute('aria-label')) say(`${name}: no alternative text`);
    if (!plot.closest('figure').querySelector('table td')) say(`${name}: no table`);
    const around = svg.getBoundingClientRect();
    const tip = plot.querySelector('.tip');
    if (tip) {
      const middle = {clientX: (around.left + around.right) / 2, clientY: (around.top + around.bottom) / 2};
      svg.dispatchEvent(new MouseEvent('mousemove', middle));
      if (tip.style.display === 'none' || !/\d/.test(tip.textContent)) say(`${name}: no values beside the pointer`);
      svg.dispatchEvent(new MouseEvent('mouseleave'));
      if (tip.style.display !== 'none') say(`${name}: its values stay when the pointer has left`);
    }
    const boxes = [...svg.querySelectorAll('text')].filter(t => t.textContent)
      .map(t => ({text: t.textContent, box: t.getBoundingClientRect()}));
    boxes.forEach(({text, box}, i) => {
      if (box.left < around.left - 1 || box.right > around.right + 1 || box.bottom > around.bottom + 2) {
        say(`${name}: cut off: ${text}`);
      }
      for (const other of boxes.slice(i + 1)) {
        const wide = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
        const high = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
        if (wide > 1 && high > 3) say(`${name}: ${text} lies upon ${other.text}`);
      }
    });
  }

  // ---- Numbers of the text are those of report.json ----
  const formats = {
    percent: v => `${(100 * v).toFixed(1)}\u00a0%`,
    count: v => String(v).replace(/\B(?=(\d{3})+$)/g, '\u00a0'),
    number: v => v === 0 ? '0' : Math.abs(v) < 1e-3 ? v.toExponential(1).replace('-', '\u2212') : String(Number(v.toPrecision(3))),
  };
  const numbers = document.querySelectorAll('data');
  if (numbers.length < 4) say('hardly any number says where it comes from');
  for (const element of numbers) {
    const {path, format} = element.dataset;
    const value = path.split('/').slice(1).reduce((at, key) => at?.[key], report);
    if (Number(element.value) !== value) say(`${path} is ${value} in report.json, ${element.value} here`);
    // Of a tie either neighbour will do.
    if (![1 - 1e-9, 1 + 1e-9].some(f => element.textContent === formats[format](format === 'count' ? value : value * f))) say(`${path}: ${element.textContent} is not ${value}`);
  }
  const island = JSON.parse(document.getElementById('data').textContent);
  const line = island.figures.accuracy.series[0].values;
  report.layers.forEach((layer, l) => {
    if (Math.abs(line[l + 1] - layer.accuracy) > 1e-4) say(`the chart has ${line[l + 1]} for layer ${l + 1}`);
  });

  // ---- It works from the keyboard ----
  const slide = document.getElementById('layer'), shown = document.getElementById('layer-shown');
  const bars = () => document.getElementById('feature-map')?.textContent;
  const first = bars();
  slide.value = 1;
  slide.dispatchEvent(new Event('input'));
  if (shown.textContent !== '1' || !document.getElementById('changed').textContent) say('the scrubber does not follow');
  for (const hint of document.querySelectorAll('.hint')) {
    const box = hint.previousElementSibling, wider = box.scrollWidth > box.clientWidth + 1;
    if (wider === hint.hidden) say(`${wider ? 'no' : 'a needless'} hint below a table that is ${wider ? '' : 'not '}cut off`);
  }
  if (!pictures) {
    if (document.querySelectorAll('#feature-step .score').length !== report.data.feature_names.length) say('not a bar a feature');
    if (first === bars()) say('the bars of features do not follow');
    return;
  }
  const caption = () => getComputedStyle(document.querySelector('.caption.own')).display;
  const before = caption();
  document.getElementById('own-scale').click();
  if (before !== 'none' || caption() === 'none') say('another scale, but the caption stays');
}
check().catch(error => found.push(`the check itself: ${error.stack}`))
  .then(() => parent.postMessage(found.length ? found.join('\n') : 'all as it should be', '*'));
