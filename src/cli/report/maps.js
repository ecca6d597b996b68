// The maps: their colours in the dark, and the scrubber through the layers of one image or one row of named features.
// Needs no library.
'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const root = document.documentElement, by_id = id => document.getElementById(id);
  root.classList.add('js');

  // The palette of the sprite sheets: as diverging() of colours.h.
  const kNegativeRed = 33, kPositiveGreen = 24;
  const signed = (red, green, blue) =>
    blue >= red ? -(255 - red) / (255 - kNegativeRed) : (255 - green) / (255 - kPositiveGreen);

  function colour(name) {
    const dot = document.createElement('canvas').getContext('2d');
    dot.fillStyle = getComputedStyle(root).getPropertyValue(name).trim();
    dot.fillRect(0, 0, 1, 1);
    return dot.getImageData(0, 0, 1, 1).data;
  }
  const palette = prefix => ({negative: colour(`--${prefix}negative`), zero: colour(`--${prefix}zero`),
    positive: colour(`--${prefix}positive`)});

  function paint(pixels, at, value, colours) {
    const end = value < 0 ? colours.negative : colours.positive, strength = Math.min(1, Math.abs(value));
    for (let c = 0; c < 3; ++c) pixels[at + c] = colours.zero[c] + strength * (end[c] - colours.zero[c]);
    pixels[at + 3] = 255;
  }

  function canvas_of(image) {
    const canvas = document.createElement('canvas');
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    canvas.getContext('2d', {willReadFrequently: true}).drawImage(image, 0, 0);
    return canvas;
  }
  const complete = image => new Promise((done, failed) => {
    if (image.complete) { done(image); return; }
    image.addEventListener('load', () => done(image));
    image.addEventListener('error', failed);
  });
  async function loaded(url) {
    const image = new Image();
    image.src = url;
    return canvas_of(await complete(image));
  }

  // ---- The dark: the same sprite sheets in other colours, zero being the page's ----
  const sprite_rules = [...by_id('sprites').sheet.cssRules].filter(rule => rule.style && rule.style.backgroundImage);
  const url_of = rule => rule.style.backgroundImage.slice(5, -2); // url("...")

  async function darkened(rule, colours) {
    const canvas = await loaded(url_of(rule)), context = canvas.getContext('2d');
    const image = context.getImageData(0, 0, canvas.width, canvas.height), p = image.data;
    for (let at = 0; at < p.length; at += 4) paint(p, at, signed(p[at], p[at + 1], p[at + 2]), colours);
    context.putImageData(image, 0, 0);
    return `${rule.selectorText}{background-image:url(${canvas.toDataURL()})}`;
  }
  async function darken() {
    const colours = palette('dark-');
    const rules = await Promise.all(sprite_rules.filter(r => r.selectorText !== '.inputs').map(r => darkened(r, colours)));
    const style = document.createElement('style');
    style.textContent = `@media screen and (prefers-color-scheme: dark){${rules.join('\n')}}`;
    document.head.append(style);
  }

  // ---- The scrubber ----
  const names = data.class_names, percent = v => `${(100 * v).toFixed(0)}\u00a0%`;
  const short = v => String(Number(v.toPrecision(3))).replace('-', '\u2212');
  const uniform = names.map(() => 1 / names.length);

  // What the layer names and how sure it is, against the layer before.
  function show_scores(scores, before) {
    const order = scores.map((score, c) => c);
    const most = order.length > 12 ? order.sort((a, b) => scores[b] - scores[a]).slice(0, 12) : order;
    by_id('class-scores').replaceChildren(...most.map(c => {
      const row = document.createElement('div');
      row.className = 'score' + (scores[c] === Math.max(...scores) ? ' best' : '');
      row.innerHTML = '<span class="score-name"></span><span class="score-bar"><i></i><u></u></span><span class="score-value"></span>';
      row.querySelector('.score-name').textContent = names[c];
      row.querySelector('i').style.width = `${100 * scores[c]}%`;
      row.querySelector('u').style.left = `${100 * before[c]}%`;
      row.querySelector('u').hidden = before[c] < 0.005 && scores[c] < 0.005;
      row.querySelector('.score-value').textContent = percent(scores[c]);
      return row;
    }));
  }
  function tell(row, layer, scores, before) {
    const gains = scores.map((score, c) => score - before[c]), best = scores.indexOf(Math.max(...scores));
    const gained = gains.indexOf(Math.max(...gains)), lost = gains.indexOf(Math.min(...gains));
    const label = data.rows[row].label, points = v => `${Math.abs(100 * v).toFixed(1)}\u00a0points`;
    const exact = v => `${(100 * v).toFixed(1)}\u00a0%`;
    const change = Math.abs(gains[gained]) < 0.005 ? `Layer ${layer} changes no score by as much as half a point.` :
      `Layer ${layer} raises ${names[gained]} from ${exact(before[gained])} to ${exact(scores[gained])} and lowers ` +
      `${names[lost]} by ${points(gains[lost])}.`;
    const verdict = best === label ? `It names ${names[best]}, the label.` :
      `It names ${names[best]}; the label is ${names[label]}, which has ${percent(scores[label])}.`;
    by_id('changed').textContent = `${change} ${verdict}`;
  }

  // Follows the list and the slider: show_inputs(row, layer) draws what is particular to images or features.
  function scrub(show_inputs) {
    function show() {
      const row = Number(by_id('image').value), layer = Number(by_id('layer').value), entry = data.rows[row];
      by_id('layer-shown').textContent = layer;
      by_id('layer').setAttribute('aria-valuetext', `layer ${layer} of ${entry.scores.length}`);
      show_inputs(row, layer);
      const before = layer > 1 ? entry.scores[layer - 2] : uniform;
      show_scores(entry.scores[layer - 1], before);
      tell(row, layer, entry.scores[layer - 1], before);
    }
    by_id('image').addEventListener('change', show);
    by_id('layer').addEventListener('input', show);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', show);
    addEventListener('beforeprint', () => { root.classList.add('paper'); show(); });
    addEventListener('afterprint', () => { root.classList.remove('paper'); show(); });
    by_id('layer').value = Math.ceil(data.rows[0].scores.length / 2);
    document.querySelector('.scrubber').hidden = false;
    show();
  }

  async function scrub_images() {
    const {height, width} = data, size = height * width;
    const steps = canvas_of(by_id('steps')).getContext('2d');
    const inputs = (await loaded(url_of(sprite_rules.find(r => r.selectorText === '.inputs')))).getContext('2d');

    // Values of one step of a row, in units of pixel value.
    function step_of(row, layer) {
      const p = steps.getImageData(layer * width, row * height, width, height).data, values = new Float32Array(size);
      const limit = data.rows[row].step_limits[layer];
      for (let i = 0; i < size; ++i) values[i] = limit * signed(p[4 * i], p[4 * i + 1], p[4 * i + 2]);
      return values;
    }
    function show_signed(id, values, limit) {
      const canvas = by_id(id), context = canvas.getContext('2d'), colours = palette('');
      [canvas.width, canvas.height] = [width, height];
      const image = context.createImageData(width, height);
      for (let i = 0; i < size; ++i) paint(image.data, 4 * i, limit > 0 ? values[i] / limit : 0, colours);
      context.putImageData(image, 0, 0);
    }
    scrub((row, layer) => {
      const canvas = by_id('input');
      [canvas.width, canvas.height] = [width, height];
      canvas.getContext('2d').putImageData(inputs.getImageData(0, row * height, width, height), 0, 0);
      const map = new Float32Array(size);
      let step;
      for (let l = 0; l < layer; ++l) {
        step = step_of(row, l);
        for (let i = 0; i < size; ++i) map[i] += step[i];
      }
      const most = Math.max(...data.rows[row].step_limits);
      show_signed('map', map, data.limit);
      show_signed('step', step, most);
      by_id('map-caption').textContent = `map h − x after layer ${layer}, on the sheet’s scale: ±${short(data.limit)}`;
      by_id('step-caption').textContent = `step of layer ${layer} alone, on this image’s scale of steps: ±${short(most)}`;
    });
  }

  function scrub_features() {
    // Bars to both sides of zero: the row's features in an order that the slider does not change.
    function show_bars(id, features, values, limit) {
      by_id(id).replaceChildren(...values.map((v, i) => {
        const row = document.createElement('div'), half = limit > 0 ? 50 * Math.abs(v) / limit : 0;
        row.className = 'score';
        row.innerHTML = '<span class="score-name"></span><span class="score-bar both"><i></i></span><span class="score-value"></span>';
        row.querySelector('.score-name').textContent = features[i];
        const bar = row.querySelector('i');
        bar.className = v < 0 ? 'negative' : 'positive';
        bar.style.left = `${v < 0 ? 50 - half : 50}%`;
        bar.style.width = `${half}%`;
        row.querySelector('.score-value').textContent = short(v);
        return row;
      }));
    }
    const largest = lists => Math.max(0, ...lists.flat().map(Math.abs));
    scrub((row, layer) => {
      const {names: features, maps, steps} = data.rows[row].features;
      show_bars('feature-map', features, maps[layer - 1], largest(maps));
      show_bars('feature-step', features, steps[layer - 1], largest(steps));
      by_id('map-caption').textContent = `h − x after layer ${layer}: what the layers so far added; full length is ±${short(largest(maps))}`;
      by_id('step-caption').textContent = `step of layer ${layer} alone; full length is ±${short(largest(steps))}`;
    });
  }

  // ---- What is wider than the window says so ----
  for (const box of document.querySelectorAll('.scroll.sideways')) {
    const hint = document.createElement('p');
    hint.className = 'caption hint';
    hint.textContent = box.dataset.hint;
    box.after(hint);
    new ResizeObserver(() => { hint.hidden = box.scrollWidth <= box.clientWidth + 1; }).observe(box);
  }

  const ready = () => root.classList.add('ready');
  const work = by_id('steps') ? [darken(), complete(by_id('steps')).then(scrub_images)] : [];
  if (by_id('feature-map')) scrub_features();
  Promise.all(work).then(ready);
})();
