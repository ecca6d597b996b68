// Draws the charts that the page's JSON describes (figures.h), as SVG by D3. Colours and dashes are the style sheet's.
'use strict';
(() => {
  if (!window.d3) return;
  const data = JSON.parse(document.getElementById('data').textContent);
  const ink = document.createElement('canvas').getContext('2d');
  const kRow = 18; // between names at the ends of lines
  const kSample = 18; // of a line, before its name

  // As shown() of html.cc.
  const minus = text => text.replace(/-/g, '\u2212');
  function number(v) {
    const size = Math.abs(v);
    if (size === 0) return '0';
    if (size < 1e-3 || size >= 1e6) return minus(v.toExponential(1).replace('e+', 'e'));
    return minus(size >= 999.5 ? v.toFixed(0) : String(Number(v.toPrecision(3))));
  }
  const formats = {
    percent: v => minus((100 * v).toFixed(1)) + '\u00a0%',
    score: v => (100 * v).toFixed(0) + '\u00a0%',
    number,
  };
  const shown = (v, format) => v === null || v === undefined ? '–' : formats[format || 'number'](v);
  // Ticks are round numbers: no decimals of percent.
  const tick = format => v => format === 'number' || !format ? number(v) : minus(String(Math.round(1000 * v) / 10)) + '\u00a0%';

  function width_of(text) {
    ink.font = '13px ' + getComputedStyle(document.body).fontFamily;
    return ink.measureText(text).width;
  }

  function svg_in(plot, width, height) {
    plot.selectAll('*').remove();
    return plot.append('svg').attr('viewBox', `0 0 ${width} ${height}`).attr('width', width).attr('height', height)
      .attr('xmlns', 'http://www.w3.org/2000/svg').attr('aria-hidden', 'true');
  }

  // At most `most` of the values, evenly spaced round ones.
  function some(values, most) {
    if (values.length <= most) return values;
    return d3.ticks(values[0], values[values.length - 1], most).filter(v => values.includes(v));
  }

  // As many as leave room between their names.
  const some_across = (values, box) => some(values, Math.min(12, Math.floor((box.right - box.left) / 40)));

  function extent_of(figure, series) {
    const all = series.flatMap(s => [...s.values, ...(s.low || []), ...(s.high || [])]).filter(v => v !== null);
    let [low, high] = d3.extent(all);
    if (figure.y.from !== undefined) low = Math.min(figure.y.from, low);
    if (figure.y.to !== undefined) high = Math.max(figure.y.to, high);
    if (figure.kind === 'bars') [low, high] = [Math.min(0, low), Math.max(0, high)];
    if (low === high) high = low + 1;
    return [low, high];
  }

  function y_scale(figure, series, top, bottom) {
    const scale = figure.y.log ? d3.scaleLog() : d3.scaleLinear();
    scale.domain(extent_of(figure, series)).range([bottom, top]);
    if (!figure.y.log) return figure.y.to !== undefined ? scale : scale.nice(5);
    const [low, high] = scale.domain();
    return scale.domain([low / 1.25, high * 1.25]);
  }

  function y_ticks(figure, y) {
    if (!figure.y.log) return y.ticks(5);
    const [low, high] = y.domain();
    const powers = d3.range(Math.floor(Math.log10(low)), Math.ceil(Math.log10(high)) + 1).map(p => 10 ** p);
    const inside = v => v >= low && v <= high;
    if (powers.filter(inside).length > 2) return powers.filter(inside);
    const several = powers.flatMap(p => [p, 2 * p, 5 * p]).filter(inside);
    return several.length > 1 ? several : d3.ticks(low, high, 4);
  }

  function axes(svg, figure, x, y, box, x_values) {
    const ticks = y_ticks(figure, y);
    svg.append('g').selectAll('line').data(ticks).enter().append('line')
      .attr('class', v => v === 0 ? 'zero' : 'grid').attr('x1', box.left).attr('x2', box.right)
      .attr('y1', y).attr('y2', y);
    svg.append('g').attr('class', 'tick').selectAll('text').data(ticks).enter().append('text')
      .attr('x', box.left - 8).attr('y', v => y(v) + 4).attr('text-anchor', 'end').text(tick(figure.y.format));
    svg.append('g').attr('class', 'tick').selectAll('text').data(x_values).enter().append('text')
      .attr('x', x).attr('y', box.bottom + 20).attr('text-anchor', 'middle').text(tick(figure.x.format));
    svg.append('text').attr('class', 'axis-name').attr('x', 0).attr('y', 13).text(figure.y.name);
    const half = width_of(figure.x.name) / 2, centre = (box.left + box.right) / 2;
    svg.append('text').attr('class', 'axis-name').attr('x', Math.max(half, Math.min(centre, box.right - half)))
      .attr('y', box.bottom + 42).attr('text-anchor', 'middle').text(figure.x.name);
  }

  const left_of = (figure, y) => 10 + d3.max(y_ticks(figure, y), v => width_of(tick(figure.y.format)(v)));
  const height_of = width => width < 420 ? 288 : 320;

  // Names at the ends of lines, pushed apart where they would overlap.
  function name_ends(svg, ends, box) {
    ends.sort((a, b) => a.y - b.y);
    for (let pass = 0; pass < 20; ++pass) {
      for (let i = 1; i < ends.length; ++i) {
        const short = kRow - (ends[i].y - ends[i - 1].y);
        if (short > 0) { ends[i].y += short / 2; ends[i - 1].y -= short / 2; }
      }
      ends.forEach(end => { end.y = Math.min(Math.max(end.y, box.top), box.bottom); });
    }
    svg.append('g').selectAll('line').data(ends).enter().append('line').attr('class', end => `line ${end.look}`)
      .attr('x1', box.right + 8).attr('x2', box.right + 8 + kSample).attr('y1', end => end.y).attr('y2', end => end.y);
    svg.append('g').selectAll('text').data(ends).enter().append('text').attr('class', end => `name ${end.look}`)
      .attr('x', box.right + 14 + kSample).attr('y', end => end.y + 4).text(end => end.name);
  }

  function lines(plot, figure, width) {
    const height = height_of(width), box = {top: 32, bottom: height - 52};
    const y = y_scale(figure, figure.series, box.top, box.bottom);
    box.left = left_of(figure, y);
    const names = d3.max(figure.series, s => width_of(s.name)) + 16 + kSample;
    const beside = width - names - box.left > Math.max(200, 0.5 * width); // else the names stand in a legend above
    box.right = width - (beside ? names : figure.x.format ? 20 : 8);
    if (!beside) box.top += legend_height(figure.series, width);
    y.range([box.bottom, box.top]);
    const xs = figure.x.values;
    const x = d3.scaleLinear().domain([xs[0], xs[xs.length - 1]]).range([box.left + 8, box.right - 4]);
    const svg = svg_in(plot, width, height);
    if (!beside) legend(svg, figure.series, 24, width);
    axes(svg, figure, x, y, box, figure.x.format ? x.ticks(box.right - box.left < 320 ? 2 : 5) : some_across(xs, box));
    for (const s of figure.series) {
      if (!s.low) continue;
      const area = d3.area().defined((v, i) => s.low[i] !== null).x((v, i) => x(xs[i]))
        .y0((v, i) => y(s.low[i])).y1((v, i) => y(s.high[i]));
      svg.append('path').attr('class', 'band').attr('d', area(xs));
    }
    const ends = [];
    for (const s of [...figure.series].reverse()) {
      const line = d3.line().defined(v => v !== null).x((v, i) => x(xs[i])).y(v => y(v));
      svg.append('path').attr('class', `line ${s.look}`).attr('d', line(s.values));
      const last = s.values.reduce((found, v, i) => v === null ? found : i, -1);
      if (last < 0) continue;
      ends.push({name: s.name, look: s.look, y: y(s.values[last])});
      if (xs.length > 30 || s.look === 'thin') continue;
      svg.append('g').selectAll('circle').data(s.values.map((v, i) => ({v, i})).filter(d => d.v !== null)).enter()
        .append('circle').attr('class', `dot ${s.look}`).attr('cx', d => x(xs[d.i])).attr('cy', d => y(d.v))
        .attr('r', s.look === 'network' ? 3.5 : 2.5);
    }
    if (beside) name_ends(svg, ends, box);
    follow(plot, svg, figure, x, box);
  }

  // Rows of names with a sample of each, as many a row as fit.
  function legend_places(series, width) {
    let x = 0, row = 0;
    return series.map(s => {
      const wide = width_of(s.name) + 52;
      if (x > 0 && x + wide > width + 20) { x = 0; ++row; }
      const place = {series: s, x, row};
      x += wide;
      return place;
    });
  }
  const legend_height = (series, width) => 20 * (1 + d3.max(legend_places(series, width), p => p.row));

  function legend(svg, series, top, width, bars) {
    for (const place of legend_places(series, width)) {
      const at = svg.append('g').attr('transform', `translate(${place.x},${top + 20 * place.row})`);
      if (bars) {
        at.append('rect').attr('class', `bar ${place.series.look}`).attr('x', 1).attr('y', 1).attr('width', 11).attr('height', 11);
      } else {
        at.append('line').attr('class', `line ${place.series.look}`).attr('x2', 24).attr('y1', 7).attr('y2', 7);
      }
      at.append('text').attr('class', bars ? '' : `name ${place.series.look}`).attr('x', bars ? 20 : 30).attr('y', 11)
        .text(place.series.name);
    }
  }

  function bars(plot, figure, width) {
    const several = figure.series.length > 1;
    const height = height_of(width), box = {top: 32 + (several ? legend_height(figure.series, width) : 0), bottom: height - 52};
    const y = y_scale(figure, figure.series, box.top, box.bottom);
    box.left = left_of(figure, y);
    box.right = width - 14;
    const xs = figure.x.values;
    const band = d3.scaleBand().domain(xs).range([box.left, box.right]).paddingInner(0.3).paddingOuter(0.15);
    const x = v => band(v) + band.bandwidth() / 2;
    const svg = svg_in(plot, width, height);
    if (several) legend(svg, figure.series, 22, width, true);
    axes(svg, figure, x, y, box, some_across(xs, box));
    const wide = band.bandwidth() / figure.series.length;
    figure.series.forEach((s, nth) => {
      svg.append('g').selectAll('rect').data(s.values.map((v, i) => ({v, i})).filter(d => d.v !== null)).enter()
        .append('rect').attr('class', `bar ${s.look}`).attr('x', d => band(xs[d.i]) + nth * wide)
        .attr('width', Math.max(0.5, wide - (wide > 4 ? 1 : 0))).attr('y', d => Math.min(y(0), y(d.v)))
        .attr('height', d => Math.abs(y(d.v) - y(0)));
    });
    follow(plot, svg, figure, x, box);
  }

  function matrix(plot, figure, width) {
    const count = figure.cells.length, left = 32, top = 28, side = Math.min(width - left - 96, 320);
    const height = top + side + 52, box = {left, right: left + side, top, bottom: top + side};
    const cell = side / count, svg = svg_in(plot, width, height);
    const at = v => left + (v - 0.5) * cell;
    const flat = figure.cells.flatMap((row, i) => row.map((v, j) => ({v, i, j})));
    svg.append('g').selectAll('rect').data(flat).enter().append('rect').attr('x', d => left + d.j * cell)
      .attr('y', d => top + d.i * cell).attr('width', cell + (count > 40 ? 0.2 : -0.5))
      .attr('height', cell + (count > 40 ? 0.2 : -0.5)).style('fill', 'var(--accent)')
      .attr('fill-opacity', d => d.v).append('title')
      .text(d => `layers ${d.i + 1} and ${d.j + 1}: ${number(d.v)}`);
    const ticks = some(figure.x.values, 10);
    svg.append('g').attr('class', 'tick').selectAll('text').data(ticks).enter().append('text').attr('x', at)
      .attr('y', box.bottom + 18).attr('text-anchor', 'middle').text(v => v);
    svg.append('g').attr('class', 'tick').selectAll('text').data(ticks).enter().append('text').attr('x', left - 8)
      .attr('y', v => top + (v - 0.5) * cell + 4).attr('text-anchor', 'end').text(v => v);
    svg.append('text').attr('class', 'axis-name').attr('x', 0).attr('y', 13).text('layer');
    svg.append('text').attr('class', 'axis-name').attr('x', (box.left + box.right) / 2).attr('y', box.bottom + 40)
      .attr('text-anchor', 'middle').text('layer');
    // The scale, in 20 steps.
    const key = svg.append('g').attr('transform', `translate(${box.right + 24},0)`);
    const y = d3.scaleLinear().domain([0, 1]).range([box.bottom, top]);
    key.selectAll('rect').data(d3.range(20)).enter().append('rect').attr('width', 12).attr('y', i => y((i + 1) / 20))
      .attr('height', side / 20 + 0.3).style('fill', 'var(--accent)').attr('fill-opacity', i => (i + 0.5) / 20);
    const apart = figure.random > 0.08 && figure.random < 0.85; // else its name would lie upon 0 or 1
    const marks = [[0, '0'], [1, '1'], ...(apart ? [[figure.random, number(figure.random)]] : [])];
    key.append('g').attr('class', 'tick').selectAll('text').data(marks).enter().append('text').attr('x', 18)
      .attr('y', d => y(d[0]) + (d[0] === 1 ? 9 : d[0] === 0 ? 0 : 4)).text(d => d[1]);
    if (apart) key.append('text').attr('class', 'axis-name').attr('x', 18).attr('y', y(figure.random) - 12).text('random');
    key.append('line').attr('class', 'zero').attr('x2', 12).attr('y1', y(figure.random)).attr('y2', y(figure.random));
  }

  function panels(plot, figure, width) {
    const columns = Math.max(1, Math.min(figure.panels.length, Math.floor((width + 24) / (width < 420 ? 160 : 196))));
    const left = 12 + width_of(tick('score')(1)), gap = 16, wide = (width - left - gap * (columns - 1)) / columns, high = 96, step = high + 76;
    const rows = Math.ceil(figure.panels.length / columns), top = 64, xs = figure.x.values;
    const svg = svg_in(plot, width, top + rows * step - 24);
    legend(svg, figure.panels[0].series, 0, width);
    figure.panels.forEach((panel, nth) => {
      const column = nth % columns, row = Math.floor(nth / columns);
      const at = svg.append('g').attr('transform', `translate(${left + column * (wide + gap)},${top + row * step})`);
      const x = d3.scaleLinear().domain([xs[0], xs[xs.length - 1]]).range([2, wide - 8]);
      const y = d3.scaleLinear().domain([0, 1]).range([high, 0]);
      at.selectAll('line').data([0, 0.5, 1]).enter().append('line').attr('class', v => v === 0 ? 'zero' : 'grid')
        .attr('x2', wide).attr('y1', y).attr('y2', y);
      if (column === 0) {
        at.append('g').attr('class', 'tick').selectAll('text').data([0, 0.5, 1]).enter().append('text').attr('x', -8)
          .attr('y', v => y(v) + 4).attr('text-anchor', 'end').text(tick('score'));
      }
      const ends = xs.length > 1 ? [xs[0], xs[xs.length - 1]] : xs;
      at.append('g').attr('class', 'tick').selectAll('text').data(ends).enter().append('text').attr('x', x)
        .attr('y', high + 18).attr('text-anchor', (v, i) => i ? 'end' : 'start')
        .text((v, i) => i || xs.length === 1 ? v : `layer ${v}`);
      at.append('text').attr('class', 'panel-title').attr('y', -22).text(panel.title);
      at.append('text').attr('class', 'axis-name').attr('y', -6).text(panel.note);
      const line = d3.line().x((v, i) => x(xs[i])).y(v => y(v));
      for (const s of [...panel.series].reverse()) {
        at.append('path').attr('class', `line ${s.look}`).attr('d', line(s.values));
      }
    });
  }

  // Bars to both sides of zero, the largest first; one scale for all panels.
  function ranked(plot, figure, width) {
    const columns = Math.max(1, Math.min(figure.panels.length, Math.floor((width + 32) / 352))), gap = 32;
    const wide = (width - gap * (columns - 1)) / columns, most = d3.max(figure.panels, p => p.names.length);
    const step = 64 + 20 * most, rows = Math.ceil(figure.panels.length / columns);
    const names = Math.min(0.45 * wide, 12 + d3.max(figure.panels, p => d3.max(p.names, width_of)));
    const numbers = 8 + d3.max(figure.panels, p => d3.max(p.values, v => width_of(number(v))));
    const limit = d3.max(figure.panels, p => d3.max(p.values, v => Math.abs(v))) || 1;
    const x = d3.scaleLinear().domain([-limit, limit]).range([names, wide - numbers]);
    const svg = svg_in(plot, width, rows * step);
    figure.panels.forEach((panel, nth) => {
      const at = svg.append('g')
        .attr('transform', `translate(${(nth % columns) * (wide + gap)},${Math.floor(nth / columns) * step})`);
      at.append('text').attr('class', 'panel-title').attr('y', 14).text(panel.title);
      at.append('text').attr('class', 'axis-name').attr('y', 32).text(panel.note);
      panel.names.forEach((name, i) => {
        const y = 40 + 20 * i, v = panel.values[i];
        at.append('text').attr('y', y + 14).text(fitted(name, names - 8)).append('title').text(name);
        at.append('rect').attr('class', v < 0 ? 'negative' : 'positive').attr('y', y + 3).attr('height', 14)
          .attr('x', Math.min(x(0), x(v))).attr('width', Math.abs(x(v) - x(0)));
        at.append('text').attr('class', 'axis-name').attr('x', wide).attr('y', y + 14).attr('text-anchor', 'end').text(number(v));
      });
      at.append('line').attr('class', 'zero').attr('x1', x(0)).attr('x2', x(0)).attr('y1', 40).attr('y2', 40 + 20 * panel.names.length);
    });
  }
  function fitted(text, width) {
    if (width_of(text) <= width) return text;
    let end = text.length;
    while (end > 1 && width_of(text.slice(0, end) + '…') > width) --end;
    return text.slice(0, end) + '…';
  }

  // Values beside the pointer.
  function follow(plot, svg, figure, x, box) {
    const xs = figure.x.values, node = svg.node();
    const cursor = svg.append('line').attr('class', 'cursor').attr('y1', box.top).attr('y2', box.bottom)
      .style('display', 'none');
    const tip = plot.append('div').attr('class', 'tip').attr('aria-hidden', 'true').style('display', 'none');
    // The browser's own listener: what D3 hands to its own differs between versions 5 and 6.
    node.addEventListener('mousemove', event => {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(node.getScreenCTM().inverse()).x;
      const nearest = d3.scan(xs, (a, b) => Math.abs(x(a) - at) - Math.abs(x(b) - at));
      cursor.style('display', null).attr('x1', x(xs[nearest])).attr('x2', x(xs[nearest]));
      tip.style('display', null).html('').append('b').text(`${figure.x.name.replace(/ \(.*/, '')} ${shown(xs[nearest], figure.x.format)}`);
      for (const s of figure.series) {
        const row = tip.append('div');
        row.append('span').text(s.name);
        row.append('span').text(shown(s.values[nearest], figure.y.format));
      }
      const wide = tip.node().offsetWidth, here = x(xs[nearest]);
      tip.style('left', `${here + 12 + wide < node.clientWidth ? here + 12 : Math.max(0, here - 12 - wide)}px`)
        .style('top', `${box.top}px`);
    });
    node.addEventListener('mouseleave', () => { cursor.style('display', 'none'); tip.style('display', 'none'); });
  }

  // A file by itself: what the style sheet says is written into each mark, in the colours of paper.
  const kept = ['fill', 'fill-opacity', 'stroke', 'stroke-width', 'stroke-dasharray', 'stroke-linejoin', 'font-family',
    'font-size', 'font-weight', 'text-anchor', 'display'];
  function save(figure) {
    const svg = figure.querySelector('svg'), copy = svg.cloneNode(true), root = document.documentElement;
    root.classList.add('paper');
    const from = svg.querySelectorAll('*');
    copy.querySelectorAll('*').forEach((mark, i) => {
      const style = getComputedStyle(from[i]);
      mark.removeAttribute('class');
      mark.setAttribute('style', kept.map(name => `${name}:${style.getPropertyValue(name)}`).join(';'));
    });
    root.classList.remove('paper');
    const title = document.createElementNS('http://www.w3.org/2000/svg', 'title');
    title.textContent = figure.querySelector('[aria-label]').getAttribute('aria-label');
    copy.prepend(title);
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(copy)], {type: 'image/svg+xml'}));
    link.download = figure.dataset.figure + '.svg';
    link.click();
    URL.revokeObjectURL(link.href);
  }

  const draw = {lines, bars, matrix, panels, ranked};
  for (const figure of document.querySelectorAll('[data-figure]')) {
    const spec = data.figures[figure.dataset.figure], plot = figure.querySelector('.plot');
    let drawn = 0;
    const again = () => {
      const width = Math.round(plot.getBoundingClientRect().width);
      if (width === drawn || width === 0) return;
      drawn = width;
      draw[spec.kind](d3.select(plot), spec, width);
    };
    again();
    new ResizeObserver(again).observe(plot);
    figure.querySelector('details').open = false;
    const button = figure.querySelector('.save');
    button.hidden = false;
    button.setAttribute('aria-label', `save the chart “${spec.title}” as SVG`);
    button.addEventListener('click', () => save(figure));
  }
})();
