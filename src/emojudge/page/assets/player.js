// Where we are in a recording: the sound's own clock, or, without sound, a mark that can be moved.

export class Player {
  constructor(seconds, audio) {
    this.seconds = seconds;
    this.audio = audio;
    this.listeners = [];
    this.mark = 0;
    this.until = null; // where a passage that is heard by itself ends
    if (audio) {
      for (const event of ["play", "pause", "seeked", "timeupdate", "ended"]) {
        audio.addEventListener(event, () => this.tell());
      }
      audio.addEventListener("play", () => this.run());
    }
  }

  get time() {
    return this.audio && this.audio.readyState > 0 ? this.audio.currentTime : this.mark;
  }

  get playing() {
    return Boolean(this.audio) && !this.audio.paused;
  }

  seek(time) {
    this.until = null;
    this.mark = Math.min(Math.max(0, time), this.seconds);
    if (this.audio) this.audio.currentTime = this.mark;
    this.tell();
  }

  // Play from here to there.
  hear(start, end) {
    this.seek(start);
    if (!this.audio) return;
    this.until = end;
    this.audio.play().catch(() => this.tell());
  }

  toggle() {
    if (!this.audio) return;
    this.until = null;
    if (this.audio.paused) this.audio.play().catch(() => this.tell());
    else this.audio.pause();
  }

  // Be silent, and tell nobody any more.
  close() {
    this.listeners = [];
    if (this.audio) this.audio.pause();
  }

  listen(listener) {
    this.listeners.push(listener);
  }

  tell() {
    if (this.until !== null && this.time >= this.until) {
      this.audio.pause();
      this.audio.currentTime = this.until - 0.01; // not yet in what follows
      this.until = null;
    }
    for (const listener of this.listeners) listener(this.time, this.playing);
  }

  // `timeupdate` comes four times a second, which is not enough for a line that moves.
  run() {
    const step = () => {
      if (!this.playing) return;
      this.tell();
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }
}
