// A recording drawn along one axis of time: its outline, a lane of emotions, three curves; and all of it small.

import { ATTRIBUTES, EMOTIONS, clock, doubts, emotionOf } from "./emotions.js";

const WAVE = 84; // heights in CSS pixels
const ROW = 26;
const CURVES = 112;
const AXIS = 18;
const GAP = 8; // seconds between two points that a curve still joins
const NARROWEST = 4; // seconds that are shown at least

export class Drawing {
  // `peaks` are bytes, `perSecond` of them a second; both canvases are as wide as their elements.
  constructor({ main, overview, timeline, peaks, perSecond, onpick, signal }) {
    Object.assign(this, { main, overview, timeline, peaks, perSecond });
    this.seconds = Math.max(timeline.seconds, 0.1);
    this.view = { from: 0, to: Math.min(this.seconds, 90) };
    this.rows = rowsOf(timeline.passages);
    this.rowCount = Math.max(1, ...this.rows.map((row) => row + 1));
    this.loudest = Math.max(16, ...chunkedMax(peaks));
    this.time = 0;
    this.selected = null;
    const at = (canvas, event, from, to) => {
      const box = canvas.getBoundingClientRect();
      return from + ((event.clientX - box.left) / box.width) * (to - from);
    };
    main.addEventListener("click", (event) => onpick(at(main, event, this.view.from, this.view.to)));
    const centre = (event) => {
      const half = (this.view.to - this.view.from) / 2;
      this.show(at(overview, event, 0, this.seconds) - half);
    };
    overview.addEventListener("pointerdown", (event) => {
      overview.setPointerCapture(event.pointerId);
      centre(event);
    });
    overview.addEventListener("pointermove", (event) => event.buttons && centre(event));
    new ResizeObserver(() => this.draw()).observe(main);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw(), { signal });
  }

  // Begin the view here, as long as it was.
  show(from, length = this.view.to - this.view.from) {
    const size = Math.min(Math.max(length, NARROWEST), this.seconds);
    const start = Math.min(Math.max(0, from), this.seconds - size);
    this.view = { from: start, to: start + size };
    this.draw();
  }

  zoom(factor) {
    const size = Math.min(Math.max((this.view.to - this.view.from) * factor, NARROWEST), this.seconds);
    const inside = this.time >= this.view.from && this.time <= this.view.to;
    const middle = inside ? this.time : (this.view.from + this.view.to) / 2;
    this.show(middle - size / 2, size);
  }

  // The line of the time goes on; where it leaves the view, the view follows.
  move(time) {
    this.time = time;
    const size = this.view.to - this.view.from;
    if (time < this.view.from || time > this.view.to) this.show(time - size * 0.1);
    else this.draw();
  }

  select(index) {
    this.selected = index;
    this.draw();
  }

  draw() {
    if (this.waiting) return; // once a frame, however often it is asked for
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.drawMain();
      this.drawOverview();
    });
  }

  drawMain() {
    const lane = ROW * this.rowCount;
    const [pen, width, ink] = this.paper(this.main, WAVE + lane + CURVES + AXIS + 16);
    const x = (time) => ((time - this.view.from) / (this.view.to - this.view.from)) * width;
    this.drawWave(pen, ink, width, 0, WAVE, this.view.from, this.view.to);
    this.drawLane(pen, ink, x, WAVE + 4);
    this.drawCurves(pen, ink, x, width, WAVE + lane + 12);
    this.drawAxis(pen, ink, x, WAVE + lane + CURVES + 16);
    pen.fillStyle = ink.accent;
    pen.fillRect(x(this.time) - 1, 0, 2, WAVE + lane + CURVES + 12);
  }

  drawOverview() {
    const [pen, width, ink] = this.paper(this.overview, 46);
    const x = (time) => (time / this.seconds) * width;
    this.drawWave(pen, ink, width, 0, 32, 0, this.seconds);
    for (const passage of this.timeline.passages) {
      pen.fillStyle = EMOTIONS[emotionOf(passage)].colour;
      pen.fillRect(x(passage.start), 35, Math.max(1, x(passage.end) - x(passage.start)), 10);
    }
    pen.strokeStyle = ink.accent;
    pen.lineWidth = 2;
    const [from, to] = [x(this.view.from), x(this.view.to)];
    pen.strokeRect(from + 1, 1, Math.max(4, to - from - 2), 44);
    pen.fillStyle = ink.accent;
    pen.fillRect(x(this.time) - 1, 0, 2, 46);
  }

  paper(canvas, height) {
    const width = canvas.clientWidth;
    const scale = window.devicePixelRatio || 1;
    canvas.style.height = `${height}px`;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const ink = { text: colour("text"), faint: colour("faint"), wave: colour("wave"), accent: colour("accent") };
    pen.font = `12px ${style.fontFamily}`;
    pen.textBaseline = "middle";
    return [pen, width, ink];
  }

  drawWave(pen, ink, width, top, height, from, to) {
    pen.fillStyle = ink.wave;
    const step = ((to - from) * this.perSecond) / width;
    for (let column = 0; column < width; column += 1) {
      const begin = Math.floor(from * this.perSecond + column * step);
      const end = Math.max(begin + 1, Math.floor(from * this.perSecond + (column + 1) * step));
      let loud = 0;
      for (let place = begin; place < end && place < this.peaks.length; place += 1) {
        if (this.peaks[place] > loud) loud = this.peaks[place];
      }
      const size = Math.max(1, (loud / this.loudest) * height);
      pen.fillRect(column, top + (height - size) / 2, 1, size);
    }
  }

  drawLane(pen, ink, x, top) {
    this.timeline.passages.forEach((passage, index) => {
      if (passage.end < this.view.from || passage.start > this.view.to) return;
      const name = emotionOf(passage);
      const look = EMOTIONS[name];
      const [left, right] = [x(passage.start), x(passage.end)];
      const width = Math.max(2, right - left - 1);
      const y = top + ROW * this.rows[index];
      pen.fillStyle = look.colour;
      pen.fillRect(left, y, width, ROW - 4);
      const doubtful = doubts(passage).length > 0;
      pen.fillStyle = look.ink;
      const long = doubtful ? `${name} ?` : name;
      const short = doubtful ? `${look.letter}?` : look.letter;
      const label = [long, short].find((text) => pen.measureText(text).width + 6 <= width);
      if (label) pen.fillText(label, left + 4, y + (ROW - 4) / 2);
      if (index === this.selected) {
        pen.strokeStyle = ink.text;
        pen.lineWidth = 2;
        pen.strokeRect(left + 1, y - 1, width - 2, ROW - 2);
      }
    });
  }

  drawCurves(pen, ink, x, width, top) {
    const y = (value) => top + 6 + ((7 - value) / 6) * (CURVES - 12);
    pen.lineWidth = 1;
    for (const value of [1, 4, 7]) {
      pen.fillStyle = ink.faint;
      pen.fillRect(0, y(value), width, 1);
      pen.fillStyle = ink.text;
      pen.fillText(String(value), 2, y(value) + (value === 7 ? 8 : -8));
    }
    const points = this.timeline.points;
    for (const [name, { dash }] of Object.entries(ATTRIBUTES)) {
      pen.setLineDash(dash);
      pen.strokeStyle = ink.text;
      pen.fillStyle = ink.text;
      pen.lineWidth = name === "valence" ? 2 : 1.5;
      pen.beginPath();
      let before = null;
      for (const point of points) {
        if (point.time < this.view.from - GAP || point.time > this.view.to + GAP) continue;
        const place = [x(point.time), y(point.attributes[name])];
        if (before !== null && point.time - before <= GAP) pen.lineTo(...place);
        else pen.moveTo(...place);
        pen.fillRect(place[0] - 1.5, place[1] - 1.5, 3, 3);
        before = point.time;
      }
      pen.stroke();
    }
    pen.setLineDash([]);
  }

  drawAxis(pen, ink, x, top) {
    const length = this.view.to - this.view.from;
    const most = Math.max(2, this.main.clientWidth / 80);
    const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
    const step = steps.find((size) => length / size <= most) ?? 3600;
    pen.fillStyle = ink.text;
    for (let time = Math.ceil(this.view.from / step) * step; time <= this.view.to; time += step) {
      pen.fillRect(x(time), top - 4, 1, 4);
      const label = clock(time);
      const fits = x(time) + 3 + pen.measureText(label).width <= this.main.clientWidth;
      if (fits) pen.fillText(label, x(time) + 3, top + 5);
    }
  }
}

// The row of each passage: under those that it overlaps with.
export function rowsOf(passages) {
  const ends = [];
  return passages.map((passage) => {
    const free = ends.findIndex((end) => end <= passage.start + 0.001);
    const row = free < 0 ? ends.length : free;
    ends[row] = passage.end;
    return row;
  });
}

function* chunkedMax(bytes) {
  for (let start = 0; start < bytes.length; start += 10_000) {
    yield Math.max(...bytes.subarray(start, start + 10_000));
  }
}
