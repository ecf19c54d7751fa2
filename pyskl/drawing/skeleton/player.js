'use strict';
/* Skeleton players: they play, scrub, and rotate in 3D. No dependencies, no network requests.

A page has the clips once, in <script type="application/json" id="data-skeletons">, and an element
for each player:

    <div class="skeleton-player" data-clip="3"></div>

An element is set up when it scrolls into view. It plays while it is visible, unless the user
stopped it or the system asks for reduced motion. Call SkeletonPlayers.watch() after adding elements.

    SkeletonPlayers.watch(root)      set up the elements inside root (default: the document) when visible
    SkeletonPlayers.mount(element)   set one up now; returns its player (the same at every call)
    element.player                   the player of an element that is set up
      .play() .pause() .toggle() .playing
      .frame = 12                    the current frame, from 0, among the frames the clip holds
      .turn(yaw, pitch)              rotate by radians (3D)
      .zoom(factor) .reset()         the view
      .project(person, joint)        [x, y, depth] in CSS pixels of the canvas; null if missing

The data is {layout, autoplay, clips}; layout is {edges, parents, left, right, names}. A clip (shapes:
M persons, T frames, V joints, C coordinates of a scene, see scene.py) has

    title, notes     texts
    size             [M, T, V, C]; C = 2 or 3: right, up, toward the viewer
    points, step     base64 of int16 (M, T, V, C) little-endian, times step; -32768: missing
    tips, from       likewise, the tips of arrows, which start at the 'joint' or its 'parent'
    score            base64 of bytes (M, T, V), 255 is 1; joints with a low score are faint
    importance       base64 of bytes (V,), (T, V) or (M, T, V)
    persons          indices of the persons, M of them
    extent           half the width and height of the view, in units of the points
    view             initial [yaw, pitch] in radians (3D)
    fps, total       frames per second; frames of the whole clip, of which T are in the page
    images           frames of a video as data: URLs

Keys on the picture: arrows rotate (2D: left and right step), space plays and stops, comma and full
stop step, + and - zoom (also the wheel with Ctrl, and pinching), Home resets the view. */
(() => {
  const MISSING = -32768;
  const MARGIN = 0.07; // of the picture, on each side
  const MOST_PITCH = Math.PI / 2;
  const SPEEDS = [0.25, 0.5, 1, 2, 4];
  const ROLES = ['left', 'right', 'text', 'faint', 'line', 'ground', 'raised', 'bad'];
  const quiet = window.matchMedia('(prefers-reduced-motion: reduce)');

  let content = null;
  const read = () => {
    content ??= JSON.parse(document.getElementById('data-skeletons').textContent);
    return content;
  };

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const coordinates = (text, step) => {
    const view = new DataView(bytes(text).buffer);
    const values = new Float32Array(view.byteLength / 2);
    for (let i = 0; i < values.length; i += 1) {
      const whole = view.getInt16(2 * i, true);
      values[i] = whole === MISSING ? NaN : whole * step;
    }
    return values;
  };

  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };

  // --- the colours of the page, read again when its theme changes ------------------------------
  let palette = null;
  const colours = () => {
    if (palette === null) {
      const style = getComputedStyle(document.documentElement);
      const entries = ROLES.map((role) => [role, style.getPropertyValue(`--${role}`).trim()]);
      palette = Object.fromEntries(entries);
    }
    return palette;
  };
  const mounted = new Set();
  const repaint = () => {
    palette = null;
    for (const player of mounted) player.draw();
  };
  new MutationObserver(repaint).observe(document.documentElement, {
    attributes: true, attributeFilter: ['data-theme', 'class', 'style'],
  });

  // --- one clock for all playing players --------------------------------------------------------
  const playing = new Set();
  let last = 0;
  const tick = (now) => {
    const seconds = Math.min((now - last) / 1000, 0.25);
    last = now;
    for (const player of playing) player.advance(seconds);
    if (playing.size) requestAnimationFrame(tick);
  };
  const start = (player) => {
    const idle = playing.size === 0;
    playing.add(player);
    if (idle) {
      last = performance.now();
      requestAnimationFrame(tick);
    }
  };

  class SkeletonPlayer {
    constructor(element, clip, layout) {
      this.element = element;
      this.clip = clip;
      this.layout = layout;
      [this.M, this.T, this.V, this.C] = clip.size;
      this.points = coordinates(clip.points, clip.step);
      this.tips = clip.tips ? coordinates(clip.tips, clip.step) : null;
      this.score = clip.score ? bytes(clip.score) : null;
      this.importance = clip.importance ? bytes(clip.importance) : null;
      this.showImportance = this.importance !== null;
      this.sides = new Array(this.V).fill('text');
      for (const joint of layout.left) this.sides[joint] = 'left';
      for (const joint of layout.right) this.sides[joint] = 'right';
      this.position = 0; // in frames, with a fraction
      this.speed = 1;
      this.stopped = false; // by the user
      this.images = [];
      this.build();
      this.reset();
      this.frame = 0;
      mounted.add(this);
    }

    get is3d() { return this.C === 3; }

    get playing() { return playing.has(this); }

    get frame() { return Math.min(Math.floor(this.position), this.T - 1); }

    set frame(number) {
      const whole = Math.round(Number(number)) || 0;
      this.position = Math.min(Math.max(whole, 0), this.T - 1);
      this.show();
    }

    play() {
      if (this.T < 2) return;
      this.stopped = false;
      start(this);
      this.showState();
    }

    pause() {
      playing.delete(this);
      this.showState();
    }

    toggle() {
      if (this.playing) {
        this.stopped = true;
        this.pause();
      } else {
        this.play();
      }
    }

    advance(seconds) {
      const before = this.frame;
      this.position = (this.position + seconds * this.clip.fps * this.speed) % this.T;
      if (this.frame !== before) this.show();
    }

    step(frames) {
      this.stopped = true;
      this.pause();
      this.frame = (this.frame + frames + this.T) % this.T;
    }

    turn(yaw, pitch) {
      if (!this.is3d) return;
      this.yaw += yaw;
      this.pitch = Math.min(Math.max(this.pitch + pitch, -MOST_PITCH), MOST_PITCH);
      this.draw();
    }

    zoom(factor) {
      this.magnification = Math.min(Math.max(this.magnification * factor, 0.2), 10);
      this.draw();
    }

    reset() {
      [this.yaw, this.pitch] = this.clip.view ?? [0, 0];
      this.magnification = 1;
      this.draw();
    }

    // --- the elements ---------------------------------------------------------------------------
    build() {
      const { clip, element } = this;
      const who = this.M === 1 ? 'one person' : `${this.M} persons`;
      const keys = this.is3d ? 'Arrow keys or dragging turn it, ' : 'Left and right arrow step, ';
      this.canvas = make('canvas', {
        tabindex: '0',
        role: 'img',
        'aria-label': `Skeleton of ${who}, ${this.C}D. ${keys}space plays and stops.`,
      });
      const [wide, high] = clip.extent;
      // One aspect ratio for all 3D players, so that galleries line up; images keep theirs.
      const shape = this.is3d ? 0.9 : Math.min(Math.max(wide / high, 0.9), 1.78);
      this.canvas.style.aspectRatio = String(clip.images ? wide / high : shape);
      this.hint = make('span', { class: 'hint', 'aria-hidden': 'true' });
      this.button = make('button', { type: 'button', class: 'play' });
      this.slider = make('input', {
        type: 'range', min: '0', max: String(this.T - 1), step: '1', value: '0',
        'aria-label': 'Frame',
      });
      this.count = make('span', { class: 'count' });
      const speed = make('select', { 'aria-label': 'Speed' });
      for (const factor of SPEEDS) speed.append(make('option', { value: factor }, `${factor}×`));
      speed.value = '1';
      const more = make('div', { class: 'controls' }, speed);
      if (this.is3d) {
        const reset = make('button', { type: 'button' }, 'Reset view');
        reset.addEventListener('click', () => this.reset());
        more.append(reset);
      }
      if (this.importance) {
        const box = make('input', { type: 'checkbox' });
        box.checked = true;
        box.addEventListener('change', () => {
          this.showImportance = box.checked;
          this.draw();
        });
        more.append(make('label', {}, box, ' importance'));
      }
      const notes = make('div', { class: 'notes' });
      for (const note of clip.notes) notes.append(make('div', {}, note));
      element.replaceChildren(
        make('div', { class: 'title' }, clip.title),
        notes,
        make('div', { class: 'stage' }, this.canvas, this.hint),
        make('div', { class: 'controls' }, this.button, this.slider, this.count),
        more,
      );
      element.setAttribute('role', 'group');
      if (clip.title) element.setAttribute('aria-label', clip.title);

      this.button.addEventListener('click', () => this.toggle());
      this.slider.addEventListener('input', () => {
        this.stopped = true;
        this.pause();
        this.frame = this.slider.value;
      });
      speed.addEventListener('change', () => { this.speed = Number(speed.value); });
      this.canvas.addEventListener('keydown', (event) => this.key(event));
      this.canvas.addEventListener('wheel', (event) => {
        if (!event.ctrlKey) return; // a wheel alone scrolls the page
        event.preventDefault();
        this.zoom(Math.exp(-event.deltaY / 300));
      }, { passive: false });
      this.listenToPointer();
      this.button.disabled = this.slider.disabled = this.T < 2;
      this.showState();
      new ResizeObserver(() => this.draw()).observe(this.canvas);
    }

    key(event) {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const turn = Math.PI / 36;
      const actions = {
        ' ': () => this.toggle(),
        ',': () => this.step(-1),
        '.': () => this.step(1),
        '+': () => this.zoom(1.15),
        '-': () => this.zoom(1 / 1.15),
        Home: () => this.reset(),
        ArrowLeft: () => (this.is3d ? this.turn(-turn, 0) : this.step(-1)),
        ArrowRight: () => (this.is3d ? this.turn(turn, 0) : this.step(1)),
      };
      if (this.is3d) {
        actions.ArrowUp = () => this.turn(0, -turn);
        actions.ArrowDown = () => this.turn(0, turn);
      }
      const action = actions[event.key];
      if (action === undefined) return;
      event.preventDefault();
      action();
    }

    listenToPointer() {
      let from = null;
      this.canvas.addEventListener('pointerdown', (event) => {
        if (!this.is3d || event.button !== 0) return;
        from = [event.clientX, event.clientY];
        this.canvas.setPointerCapture(event.pointerId);
      });
      this.canvas.addEventListener('pointermove', (event) => {
        if (from === null) {
          this.point(event.offsetX, event.offsetY);
          return;
        }
        this.turn((event.clientX - from[0]) * 0.01, (event.clientY - from[1]) * 0.01);
        from = [event.clientX, event.clientY];
      });
      for (const name of ['pointerup', 'pointercancel']) {
        this.canvas.addEventListener(name, () => { from = null; });
      }
      this.canvas.addEventListener('pointerleave', () => { this.hint.textContent = ''; });
    }

    // Show the name of the joint nearest to a point of the canvas.
    point(x, y) {
      let [best, nearest] = [null, 14];
      for (let person = 0; person < this.M; person += 1) {
        for (let joint = 0; joint < this.V; joint += 1) {
          const place = this.project(person, joint);
          if (place === null) continue;
          const distance = Math.hypot(place[0] - x, place[1] - y);
          if (distance < nearest) [best, nearest] = [[person, joint], distance];
        }
      }
      if (best === null) {
        this.hint.textContent = '';
        return;
      }
      const [person, joint] = best;
      const parts = [this.layout.names[joint] ?? `joint ${joint}`];
      if (this.M > 1) parts.unshift(`person ${this.clip.persons[person] + 1}`);
      if (this.importance) parts.push(this.weight(person, joint).toFixed(2));
      this.hint.textContent = parts.join(', ');
    }

    showState() {
      const { button } = this;
      button.textContent = this.playing ? '❚❚' : '▶';
      button.setAttribute('aria-label', this.playing ? 'Pause' : 'Play');
    }

    show() {
      const { frame, T, clip } = this;
      const number = T > 1 ? Math.round((frame * (clip.total - 1)) / (T - 1)) + 1 : 1;
      this.slider.value = String(frame);
      this.slider.setAttribute('aria-valuetext', `frame ${number} of ${clip.total}`);
      this.count.textContent = `${number} / ${clip.total}`;
      this.draw();
    }

    // --- drawing --------------------------------------------------------------------------------
    index(person, joint) { return (person * this.T + this.frame) * this.V + joint; }

    weight(person, joint) {
      const { importance, V, T } = this;
      if (importance.length === V) return importance[joint] / 255;
      if (importance.length === T * V) return importance[this.frame * V + joint] / 255;
      return importance[this.index(person, joint)] / 255;
    }

    // The camera for the current size of the canvas, as in camera.py.
    camera() {
      const [wide, high] = [this.canvas.clientWidth, this.canvas.clientHeight];
      const [sinYaw, cosYaw] = [Math.sin(this.yaw), Math.cos(this.yaw)];
      const [sinPitch, cosPitch] = [Math.sin(this.pitch), Math.cos(this.pitch)];
      const [radius, half] = this.clip.extent;
      const reach = this.is3d ? half * cosPitch + radius * Math.abs(sinPitch) : half;
      const room = this.clip.images ? 1 : 1 - 2 * MARGIN;
      const scale = room * this.magnification * Math.min(wide / (2 * radius), high / (2 * reach));
      return { wide, high, sinYaw, cosYaw, sinPitch, cosPitch, scale };
    }

    static place(camera, x, y, z) {
      const across = x * camera.cosYaw + z * camera.sinYaw;
      const depth = z * camera.cosYaw - x * camera.sinYaw;
      const up = y * camera.cosPitch - depth * camera.sinPitch;
      return [
        camera.wide / 2 + across * camera.scale,
        camera.high / 2 - up * camera.scale,
        depth * camera.cosPitch + y * camera.sinPitch,
      ];
    }

    placed(camera, values, index) {
      const at = index * this.C;
      if (Number.isNaN(values[at])) return null;
      return SkeletonPlayer.place(
        camera, values[at], values[at + 1], this.is3d ? values[at + 2] : 0,
      );
    }

    project(person, joint) {
      return this.placed(this.camera(), this.points, this.index(person, joint));
    }

    draw() {
      const { canvas } = this;
      const camera = this.camera();
      if (!(camera.wide > 0)) return;
      const ratio = window.devicePixelRatio || 1;
      const [wide, high] = [Math.round(camera.wide * ratio), Math.round(camera.high * ratio)];
      if (canvas.width !== wide || canvas.height !== high) {
        canvas.width = wide;
        canvas.height = high;
      }
      const pen = canvas.getContext('2d');
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.clearRect(0, 0, camera.wide, camera.high);
      pen.lineCap = pen.lineJoin = 'round';
      this.drawImage(pen, camera);
      if (this.is3d) this.drawFloor(pen, camera);
      const unit = Math.min(camera.wide, camera.high) / 160;
      const people = [];
      for (let person = 0; person < this.M; person += 1) people.push(this.person(camera, person));
      for (const one of people) this.drawLimbs(pen, one, unit);
      for (const one of people) this.drawJoints(pen, one, unit);
      if (this.tips) for (const one of people) this.drawArrows(pen, camera, one, unit);
      if (this.M > 1) for (const one of people) this.drawNumber(pen, one, unit);
    }

    person(camera, person) {
      const places = [];
      const strength = [];
      const radius = this.clip.extent[0];
      for (let joint = 0; joint < this.V; joint += 1) {
        const index = this.index(person, joint);
        const place = this.placed(camera, this.points, index);
        places.push(place);
        let alpha = this.score ? 0.25 + 0.75 * (this.score[index] / 255) : 1;
        if (place !== null && this.is3d) { // distant joints are paler
          alpha *= 0.775 + 0.225 * Math.min(Math.max(place[2] / radius, -1), 1);
        }
        strength.push(alpha);
      }
      return { person, places, strength };
    }

    drawImage(pen, camera) {
      if (!this.clip.images) return;
      const { frame } = this;
      let image = this.images[frame];
      if (image === undefined) {
        image = new Image();
        image.addEventListener('load', () => { if (this.frame === frame) this.draw(); });
        image.src = this.clip.images[frame];
        this.images[frame] = image;
      }
      if (!image.complete || !image.naturalWidth) return;
      const [width, height] = this.clip.extent.map((half) => 2 * half * camera.scale);
      pen.globalAlpha = 1;
      pen.drawImage(
        image, (camera.wide - width) / 2, (camera.high - height) / 2, width, height,
      );
    }

    drawFloor(pen, camera) {
      const [radius, half] = this.clip.extent;
      pen.globalAlpha = 1;
      pen.strokeStyle = colours().line;
      pen.lineWidth = 1;
      pen.beginPath();
      for (let line = -2; line <= 2; line += 1) {
        const at = (line / 2) * radius;
        for (const ends of [[at, -radius, at, radius], [-radius, at, radius, at]]) {
          const [from, to] = [ends.slice(0, 2), ends.slice(2)].map(
            ([x, z]) => SkeletonPlayer.place(camera, x, -half, z),
          );
          pen.moveTo(from[0], from[1]);
          pen.lineTo(to[0], to[1]);
        }
      }
      pen.stroke();
    }

    drawLimbs(pen, { person, places, strength }, unit) {
      if (this.tips && this.clip.from === 'parent') return; // the arrows are the limbs
      const limbs = this.layout.edges
        .filter(([a, b]) => places[a] !== null && places[b] !== null)
        .sort(([a, b], [c, d]) => (
          places[a][2] + places[b][2] - places[c][2] - places[d][2]));
      const pale = (this.tips ? 0.5 : 1) * (this.showImportance ? 0.6 : 1);
      const width = unit * (this.clip.persons[person] === 0 ? 1.8 : 1.2);
      const stroke = ([a, b], wide, colour, alpha) => {
        pen.globalAlpha = alpha;
        pen.lineWidth = wide;
        pen.strokeStyle = colours()[colour];
        pen.beginPath();
        pen.moveTo(places[a][0], places[a][1]);
        pen.lineTo(places[b][0], places[b][1]);
        pen.stroke();
      };
      if (this.clip.images) { // an outline, because images may have any colour
        for (const limb of limbs) stroke(limb, width + unit, 'ground', 0.6);
      }
      for (const limb of limbs) {
        const [a, b] = limb;
        const colour = this.tips ? 'faint' : this.sides[a];
        stroke(limb, width, colour, pale * Math.min(strength[a], strength[b]));
      }
    }

    drawJoints(pen, { person, places, strength }, unit) {
      if (this.tips && !this.showImportance) return;
      const hollow = this.clip.persons[person] !== 0;
      for (let joint = 0; joint < this.V; joint += 1) {
        if (places[joint] === null) continue;
        const [x, y] = places[joint];
        const weight = this.showImportance ? this.weight(person, joint) : 0;
        const radius = unit * (this.showImportance ? 1 + 4.5 * weight : 1.6);
        const colour = colours()[this.showImportance ? 'bad' : this.sides[joint]];
        pen.globalAlpha = this.showImportance ? 0.3 + 0.6 * weight : strength[joint];
        pen.beginPath();
        pen.arc(x, y, radius, 0, 2 * Math.PI);
        pen.fillStyle = hollow ? colours().raised : colour;
        pen.fill();
        if (hollow) {
          pen.strokeStyle = colour;
          pen.lineWidth = unit * 0.8;
          pen.stroke();
        }
      }
    }

    drawArrows(pen, camera, { person, places, strength }, unit) {
      for (let joint = 0; joint < this.V; joint += 1) {
        const from = this.clip.from === 'parent' ? places[this.layout.parents[joint]] : places[joint];
        const to = this.placed(camera, this.tips, this.index(person, joint));
        if (from === null || to === null) continue;
        const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
        const length = Math.hypot(dx, dy);
        if (length < 0.5) continue;
        const head = Math.min(unit * 4.5, length * 0.6);
        const [ux, uy] = [dx / length, dy / length];
        pen.globalAlpha = strength[joint];
        pen.strokeStyle = pen.fillStyle = colours()[this.sides[joint]];
        pen.lineWidth = unit * 1.2;
        pen.beginPath();
        pen.moveTo(from[0], from[1]);
        pen.lineTo(to[0] - ux * head * 0.7, to[1] - uy * head * 0.7);
        pen.stroke();
        pen.beginPath();
        pen.moveTo(to[0], to[1]);
        pen.lineTo(to[0] - ux * head - uy * head * 0.4, to[1] - uy * head + ux * head * 0.4);
        pen.lineTo(to[0] - ux * head + uy * head * 0.4, to[1] - uy * head - ux * head * 0.4);
        pen.fill();
      }
    }

    drawNumber(pen, { person, places }, unit) {
      const top = places.reduce(
        (best, place) => (place !== null && (best === null || place[1] < best[1]) ? place : best),
        null,
      );
      if (top === null) return;
      const size = Math.max(11, 6 * unit);
      if (this.clip.images) {
        pen.globalAlpha = 0.7;
        pen.fillStyle = colours().ground;
        pen.beginPath();
        pen.arc(top[0], top[1] - 4 * unit - 0.36 * size, 0.7 * size, 0, 2 * Math.PI);
        pen.fill();
      }
      pen.globalAlpha = 1;
      pen.fillStyle = colours().text;
      pen.font = `${size}px system-ui, sans-serif`;
      pen.textAlign = 'center';
      pen.fillText(String(this.clip.persons[person] + 1), top[0], top[1] - 4 * unit);
    }
  }

  // --- elements are set up when they scroll into view---------------------------------------------
  const mount = (element) => {
    if (!element.player) {
      const { clips, layout } = read();
      element.player = new SkeletonPlayer(element, clips[Number(element.dataset.clip)], layout);
    }
    return element.player;
  };
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) {
        target.player?.pause();
        continue;
      }
      const player = mount(target);
      if (read().autoplay && !quiet.matches && !player.stopped) player.play();
    }
  });
  const watch = (root = document) => {
    for (const element of root.querySelectorAll('.skeleton-player[data-clip]')) {
      seen.observe(element);
    }
  };
  window.SkeletonPlayers = { mount, watch };
  window.addEventListener('beforeprint', () => {
    for (const element of document.querySelectorAll('.skeleton-player[data-clip]')) mount(element);
  });
  quiet.addEventListener('change', () => {
    if (quiet.matches) for (const player of [...playing]) player.pause();
  });
  watch();
})();
