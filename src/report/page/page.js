'use strict';
(() => {
  const { report, pictures } = JSON.parse(document.getElementById('data').textContent);

  // ---- Small things -------------------------------------------------------------------------

  const make = (space) => (tag, about = {}, ...children) => {
    const node = document.createElementNS(space, tag);
    for (const [name, value] of Object.entries(about)) {
      if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
    }
    node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
    return node;
  };
  const h = make('http://www.w3.org/1999/xhtml');
  const s = make('http://www.w3.org/2000/svg');

  /** Microseconds, as people say them. */
  const time = (us) => {
    if (us < 10_000) return `${(us / 1000).toFixed(1)} ms`;
    if (us < 1_000_000) return `${Math.round(us / 1000)} ms`;
    return `${(us / 1e6).toFixed(us < 10_000_000 ? 2 : 1)} s`;
  };
  const number = (n) => n.toLocaleString('en').replaceAll(',', ' ');
  const plural = (n, what) => `${number(n)} ${what}${n === 1 ? '' : 's'}`;
  const key = (message) => `${message.p}:${message.n}`;
  const badge = (verdict) => h('span', { class: `badge ${verdict}` }, verdict);

  // ---- What belongs to a count --------------------------------------------------------------

  const steps = (message, ...kinds) => message.steps.filter(([, what]) => kinds.includes(what));
  const reads = (message) => steps(message, 'delivered', 'redelivered');
  const has = (...kinds) => (message) => steps(message, ...kinds).length > 0;
  const BELONGS = {
    published: () => true,
    republished: has('published again'),
    confirmed: has('confirmed'),
    refused: has('refused'),
    returned: has('returned'),
    unconfirmed: (m) => !has('confirmed', 'refused')(m),
    unroutable: (m) => m.copies.length === 0,
    replied: has('answered'),
    unanswered: (m) => !has('answered')(m),
    expected: (m) => m.copies.length > 0,
    deliveries: (m) => reads(m).length > 0,
    begun: has('begun'),
    finished: has('finished'),
    acked: has('acked'),
    // Of a message whose steps were not kept its copies know.
    redelivered: (m) => has('redelivered')(m) || (!m.steps.length && m.copies.some((copy) => copy.again)),
    repeats: (m) => m.copies.some((copy) => copy.again),
    duplicates: (m) => m.copies.some((copy) => copy.doubled),
    still_queued: has('found'),
  };
  const belonging = (name) =>
    BELONGS[name] ?? ((m) => m.copies.some((copy) => copy.outcome === name));
  /** Numbers that nobody wants to see. */
  const BAD = ['lost', 'duplicates', 'unconfirmed', 'unroutable', 'refused', 'unanswered', 'over_limit',
    'turned_away', 'in_doubt', 'expired', 'remaining'];

  // ---- The timeline -------------------------------------------------------------------------

  const WIDTH = 1180, LEFT = 150, RIGHT = 24, TOP = 62;
  const MOST_WORKERS = 24, MOST_TIES = 400, MOST_TICKS = 600;

  /** Nice moments for an axis. */
  const ticks = (end) => {
    const rough = end / 8;
    const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1)));
    const step = [1, 2, 5, 10].map((k) => k * power).find((it) => it >= rough) ?? rough;
    const all = [];
    for (let at = 0; at <= end; at += step) all.push(at);
    return all;
  };

  class Timeline {
    constructor(picture, choose) {
      this.picture = picture;
      this.choose = choose;
      this.end = Math.max(picture.end, 1);
      this.elements = new Map();
      this.lanes = [];
      this.y = TOP;
      this.backs = s('g'); this.bodies = s('g'); this.ties = s('g'); this.marks = s('g');
      this.lives = new Map();
      picture.workers.forEach((worker, index) =>
        worker.lives.forEach((life) => this.lives.set(life.id, { ...life, worker: index })));
      this.draw();
    }

    x(at) { return LEFT + (Math.min(at, this.end) / this.end) * (WIDTH - LEFT - RIGHT); }

    lane(name, sub, height) {
      const y = this.y;
      this.backs.append(
        s('line', { class: 'rule', x1: 0, x2: WIDTH, y1: y, y2: y }),
        s('text', { x: 8, y: y + 17 }, clip(name, 21), s('title', {}, name)),
        s('text', { class: 'soft', x: 8, y: y + 32, 'font-size': 11 }, clip(sub, 24), s('title', {}, sub)));
      this.y += height;
      return y;
    }

    /** An element of a message: it is chosen with all others of it. */
    of(message, element) {
      const id = key(message);
      element.setAttribute('data-m', id);
      if (!this.elements.has(id)) this.elements.set(id, []);
      this.elements.get(id).push(element);
      return element;
    }

    /** Numbers over slots as a stepped area between two rows. */
    area(kind, numbers, below, most, y, height) {
      if (!most) return;
      const { slot } = this.picture;
      const up = (value) => y + height - (value / most) * height;
      let line = '', back = '';
      numbers.forEach((value, index) => {
        const base = below ? below[index] ?? 0 : 0;
        const from = this.x(index * slot).toFixed(1), to = this.x((index + 1) * slot).toFixed(1);
        const high = up(base + value).toFixed(1), low = up(base).toFixed(1);
        line += `${index ? 'L' : 'M'}${from} ${high}L${to} ${high}`;
        back = `L${to} ${low}L${from} ${low}${back}`;
      });
      this.bodies.append(s('path', { class: kind, d: `${line}${back}Z` }));
    }

    rate(numbers) {
      const most = Math.max(0, ...numbers);
      return { most, said: most ? `up to ${number(Math.round((most * 1e6) / this.picture.slot))}/s` : 'nothing' };
    }

    draw() {
      const { picture } = this;
      picture.producers.forEach((producer, index) => this.producer(producer, index));
      picture.queues.forEach((queue) => this.queue(queue));
      this.workerLanes = [];
      picture.workers.slice(0, MOST_WORKERS).forEach((worker, index) => this.worker(worker, index));
      if (picture.workers.length > MOST_WORKERS) this.others(picture.workers.slice(MOST_WORKERS));
      if (!picture.complete && picture.latency.some((it) => it !== null)) this.latency(picture.latency);
      if (picture.complete) picture.messages.forEach((message) => this.message(message));
      const axis = s('g', { class: 'axis' }, ticks(this.end).map((at) => [
        s('line', { x1: this.x(at), x2: this.x(at), y1: TOP - 6, y2: this.y }),
        s('text', { x: this.x(at), y: TOP - 10, 'text-anchor': 'middle', 'font-size': 11 }, at ? time(at) : '0'),
      ]));
      this.svg = s('svg', {
        class: 'timeline', viewBox: `0 0 ${WIDTH} ${this.y + 8}`, role: 'group',
        'aria-label': 'What happened when. Arrow keys go from message to message.',
      }, axis, this.backs, this.bodies, this.ties, this.faults(), this.marks);
      const first = this.svg.querySelector('[data-m]');
      if (first) first.setAttribute('tabindex', 0);
      this.listen();
    }

    producer(producer, index) {
      const { picture } = this;
      const total = producer.published.reduce((a, b) => a + b, 0);
      const single = picture.complete && total <= MOST_TICKS;
      const { most, said } = this.rate(producer.published);
      const y = this.lane(producer.name, single ? `producer, ${plural(total, 'message')}` : `producer, ${said}`, 44);
      if (!single) {
        this.area('flow publish', producer.published, null, most, y + 6, 32);
        return;
      }
      for (const message of picture.messages.filter((it) => it.p === index)) {
        const tick = (kind, at, from, to) => this.bodies.append(this.of(message, s('line',
          { class: `${kind} tick`, x1: this.x(at), x2: this.x(at), y1: y + from, y2: y + to })));
        for (const [at, what] of message.steps) {
          if (what === 'published' || what === 'published again') tick('publish', at, 6, 20);
          if (what === 'confirmed') tick('confirm', at, 24, 36);
          if (what === 'refused' || what === 'returned') tick('refuse', at, 24, 36);
        }
      }
    }

    queue(queue) {
      const sums = queue.ready.map((ready, index) => ready + queue.unacked[index]);
      const most = Math.max(0, ...sums);
      const y = this.lane(queue.name, `${queue.kind} queue, up to ${number(most)}`, 76);
      queue.y = y;
      this.area('unacked', queue.unacked, null, most, y + 8, 62);
      this.area('ready', queue.ready, queue.unacked, most, y + 8, 62);
    }

    worker(worker, index) {
      const { most, said } = this.rate(worker.finished);
      const sub = this.picture.complete ? `ack: ${worker.ack}` : said;
      const y = this.lane(worker.name, sub, 58);
      this.workerLanes[index] = { y, lost: new Map() };
      for (const life of worker.lives) {
        const [from, to] = [this.x(life.from), this.x(life.to)];
        this.backs.append(s('rect', { class: 'life', x: from, y: y + 6, width: Math.max(to - from, 1), height: 46, rx: 3 }));
        if (!['stopped', 'live', 'cut'].includes(life.how)) {
          this.marks.append(
            s('line', { class: 'end', x1: to, x2: to, y1: y + 4, y2: y + 54 }),
            s('text', { class: 'killed', x: to + 4, y: y + 55, 'font-size': 10 }, life.how));
        }
      }
      if (!this.picture.complete) this.area('flow', worker.finished, null, most, y + 12, 38);
    }

    others(workers) {
      const all = workers[0].finished.map((_, slot) => workers.reduce((sum, it) => sum + it.finished[slot], 0));
      const { most, said } = this.rate(all);
      const y = this.lane(`${workers.length} more workers`, said, 58);
      this.area('flow', all, null, most, y + 12, 38);
    }

    latency(latency) {
      const most = Math.max(...latency.filter((it) => it !== null));
      const y = this.lane('latency', `mean, up to ${time(most)}`, 58);
      let line = '';
      latency.forEach((value, index) => {
        if (value === null) return;
        const jump = index === 0 || latency[index - 1] === null;
        line += `${jump ? 'M' : 'L'}${this.x((index + .5) * this.picture.slot).toFixed(1)} ${(y + 50 - (value / most) * 40).toFixed(1)}`;
      });
      this.bodies.append(s('path', { class: 'curve', d: line }));
    }

    /** The works of one message, what ties them, and where it was last seen if it was lost. */
    message(message) {
      const places = [];
      const about = (life) => {
        const known = this.lives.get(life);
        return known && this.workerLanes[known.worker] ? { ...known, lane: this.workerLanes[known.worker] } : null;
      };
      const open = new Map();
      for (const [at, what, whose] of message.steps) {
        const life = ['found', 'published'].includes(what) ? null : about(whose);
        if (!life) continue;
        const again = what === 'redelivered' || open.get(whose)?.again;
        if (what === 'delivered' || what === 'redelivered') {
          open.set(whose, { again });
          const dot = s('circle', { class: again ? 'held again' : 'held', cx: this.x(at), cy: life.lane.y + 44, r: 2.4 });
          this.bodies.append(this.of(message, dot));
          places.push({ x: this.x(at), y: life.lane.y + 44, life });
        } else if (what === 'begun') {
          open.set(whose, { again, begun: at });
        } else if (what === 'finished' || what === 'rejected' || what === 'given back') {
          this.bar(message, life, open.get(whose)?.begun ?? at, at, what === 'finished' ? again && 'again' : 'refused');
          open.set(whose, { again });
        }
      }
      for (const [whose, { begun }] of open) {
        const life = about(whose);
        const died = life && !['stopped', 'live', 'cut'].includes(life.how);
        if (begun !== undefined && life) this.bar(message, life, begun, life.to, died ? 'dead' : 'open');
      }
      places.forEach((place, index) => {
        // A copy in another queue is another one, and a stream is read by many.
        const stream = this.picture.queues[this.queueOf(place)].kind === 'stream';
        const before = !stream && places.slice(0, index).findLast((it) => this.queueOf(it) === this.queueOf(place));
        if (before) this.tie(message, before, place);
      });
      for (const copy of message.copies.filter((it) => it.outcome === 'lost')) {
        this.lose(message, copy, places.findLast((it) => this.queueOf(it) === copy.queue));
      }
    }

    queueOf(place) { return this.picture.workers[place.life.worker].queue; }

    bar(message, life, from, to, kind) {
      const x = this.x(from);
      const width = Math.max(this.x(to) - x, 1.5);
      const box = s('rect', { class: kind ? `bar ${kind}` : 'bar', x, y: life.lane.y + 12, height: 22, rx: 2, width });
      const label = `${message.n}`;
      const fits = width > 8 + 7 * label.length;
      this.bodies.append(this.of(message, fits
        ? s('g', {}, box, s('text', { class: 'inside', x: x + width / 2, y: life.lane.y + 27, 'text-anchor': 'middle', 'font-size': 11 }, label))
        : box));
    }

    tie(message, from, to) {
      this.tied = (this.tied ?? 0) + 1;
      const middle = (from.y + to.y) / 2;
      const path = s('path', { class: 'tie', d: `M${from.x} ${from.y}C${from.x} ${middle} ${to.x} ${middle} ${to.x} ${to.y}` });
      if (this.tied > MOST_TIES) return;
      this.ties.append(this.of(message, path));
    }

    /** A cross where a lost copy was last seen: with the consumer that had it, or in its queue. */
    lose(message, copy, last) {
      const queue = this.picture.queues[copy.queue];
      const id = last ? last.life.id : `queue ${copy.queue}`;
      this.crosses ??= new Map();
      const nth = this.crosses.get(id) ?? 0;
      this.crosses.set(id, nth + 1);
      const published = message.steps[0]?.[0] ?? 0;
      // To the right of where its consumer ended, or of its publish; back from the edge.
      const from = last ? this.x(last.life.to) + 12 : this.x(published) + 8;
      // They stand for one moment: no more than a few, and how many more there are.
      const wrap = Math.max(1, Math.min(10, Math.floor((WIDTH - 40 - from) / 22)));
      const rows = last ? 2 : 3;
      const x = Math.min(from + (nth % wrap) * 22, WIDTH - 10);
      const y = (last ? last.life.lane.y + 14 : queue.y + 14) + Math.floor(nth / wrap) * 22;
      if (nth >= wrap * rows) {
        this.more ??= new Map();
        if (!this.more.has(id)) {
          const text = s('text', { class: 'killed', x: from + wrap * 22, y: y - 18, 'font-size': 11 });
          this.more.set(id, text);
          this.marks.append(text);
        }
        this.more.get(id).textContent = `+ ${nth + 1 - wrap * rows} lost`;
        return;
      }
      const cross = s('path', { class: 'lost', d: `M${x - 4} ${y - 4}l8 8m0 -8l-8 8` });
      const hit = s('rect', { x: x - 10, y: y - 6, width: 20, height: 22, fill: 'transparent' });
      const label = s('text', { class: 'killed', x, y: y + 14, 'text-anchor': 'middle', 'font-size': 10 }, `${message.n}`);
      this.marks.append(this.of(message, s('g', {}, cross, label, hit)));
    }

    faults() {
      const rows = [-Infinity, -Infinity, -Infinity];
      return s('g', {}, this.picture.faults.map((fault) => {
        const x = this.x(fault.at);
        const right = x > WIDTH - 190;
        const room = fault.fault.length * 6.6;
        const start = right ? x - room : x;
        let row = rows.findIndex((end) => end < start);
        if (row < 0) row = 0;
        rows[row] = start + room + 12;
        const until = fault.until ? this.x(fault.until) : x;
        return s('g', { class: 'fault' },
          s('rect', { x, y: TOP, width: Math.max(until - x, 0), height: this.y - TOP }),
          s('line', { x1: x, x2: x, y1: 4 + row * 13, y2: this.y }),
          s('text', { x: right ? x - 4 : x + 4, y: 14 + row * 13, 'text-anchor': right ? 'end' : 'start', 'font-size': 11 },
            fault.fault),
          s('title', {}, `${fault.fault} at ${time(fault.at)}`
            + (fault.until ? `, until ${time(fault.until)}` : '')
            + (fault.recovered_after ? `; the first delivery after it came ${time(fault.recovered_after)} later` : '')));
      }));
    }

    /** Shows these messages, and dims all others; nothing: shows all. */
    show(messages) {
      this.svg.querySelectorAll('.on').forEach((element) => element.classList.remove('on'));
      this.svg.classList.toggle('chosen', messages.length > 0);
      for (const message of messages) {
        for (const element of this.elements.get(key(message)) ?? []) element.classList.add('on');
      }
    }

    focus(message) {
      const element = (this.elements.get(key(message)) ?? []).find((it) => it.tagName !== 'path');
      if (!element) return;
      this.svg.querySelectorAll('[tabindex]').forEach((it) => it.removeAttribute('tabindex'));
      element.setAttribute('tabindex', 0);
      element.focus();
    }

    listen() {
      const { messages } = this.picture;
      const index = new Map(messages.map((message, at) => [key(message), at]));
      const at = (event) => event.target.closest?.('[data-m]')?.getAttribute('data-m');
      const hear = (event) => {
        const id = at(event);
        if (id !== undefined && id !== null) this.choose(messages[index.get(id)], event.type === 'click');
      };
      for (const kind of ['mouseover', 'focusin', 'click']) this.svg.addEventListener(kind, hear);
      this.svg.addEventListener('mouseleave', () => this.choose(null));
      this.svg.addEventListener('keydown', (event) => {
        const here = index.get(at(event));
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (here === undefined || !step) return;
        event.preventDefault();
        const next = messages[(here + step + messages.length) % messages.length];
        this.focus(next);
      });
    }
  }

  const clip = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

  // ---- A variant ----------------------------------------------------------------------------

  class View {
    constructor(variant, picture) {
      this.variant = variant;
      this.picture = picture;
      this.chosen = [];
      this.node = h('div');
      this.story = h('div', { class: 'story', 'aria-live': 'polite' });
      const { reason } = variant;
      this.node.append(...[
        reason && h('p', { class: variant.verdict }, reason),
        this.counts(), this.why(), picture && this.figure(), this.expectations(), this.timings(), this.more(),
      ].filter(Boolean));
      this.rest();
    }

    name(message) {
      const several = this.picture.producers.length > 1;
      return several ? `${this.picture.producers[message.p].name} ${message.n}` : `${message.n}`;
    }

    counts() {
      const always = ['published', 'delivered', 'lost'];
      const shown = Object.entries(this.variant.counts).filter(([name, n]) => n || always.includes(name));
      this.buttons = shown.map(([name, n]) => h('button', {
        type: 'button', 'aria-pressed': 'false', 'data-count': name,
        class: n && BAD.includes(name) ? 'bad' : null, onclick: () => this.press(name),
        disabled: this.picture ? null : '',
      }, h('b', {}, number(n)), name.replaceAll('_', ' ')));
      return h('div', { class: 'counts', role: 'group', 'aria-label': 'Counts: press one to see its messages' }, this.buttons);
    }

    press(name) {
      const again = this.pressed === name;
      this.kept = null;
      this.pressed = again ? null : name;
      for (const button of this.buttons) {
        button.setAttribute('aria-pressed', button.dataset.count === this.pressed);
      }
      this.chosen = again ? [] : this.picture.messages.filter(belonging(name));
      this.timeline.show(this.chosen);
      this.rest();
    }

    /** One message, for as long as the pointer or the focus is on it. */
    choose(message, keep) {
      if (!message) {
        this.timeline.show(this.kept ? [this.kept] : this.chosen);
        this.kept ? this.tell(this.kept) : this.rest();
        return;
      }
      if (keep) this.kept = this.kept === message ? null : message;
      this.timeline.show([message]);
      this.tell(message);
    }

    clear() {
      this.kept = null;
      this.pressed = null;
      this.chosen = [];
      this.buttons.forEach((button) => button.setAttribute('aria-pressed', 'false'));
      this.timeline?.show([]);
      this.rest();
    }

    /** What stands below the timeline when no message is looked at. */
    rest() {
      if (this.pressed) {
        const total = this.variant.counts[this.pressed];
        const { length } = this.chosen;
        const said = this.picture.complete ? '' : `, of those that are drawn one by one; the count is ${number(total)}`;
        this.story.replaceChildren(
          h('b', {}, `${this.pressed.replaceAll('_', ' ')}: ${plural(length, 'message')}${said}`),
          this.chips(this.chosen, 400));
      } else {
        this.story.replaceChildren(h('span', { class: 'soft' }, !this.picture ? '' : this.picture.complete
          ? 'Point at a message to read its history, click to keep it, or walk through them with the arrow keys. '
            + 'A count above shows its messages. Esc shows all.'
          : 'Too many messages to draw each: the lanes show how many there were at a time. A count above '
            + 'lists messages that were not plainly delivered, and some that were.'));
      }
    }

    tell(message) {
      const worker = (life) => this.picture.workers.find((it) => it.lives.some((span) => span.id === life))?.name;
      const said = ([at, what, whose]) => {
        const who = whose === undefined ? '' : what === 'found'
          ? ` in ${this.picture.queues[whose].name} at the end`
          : ` ${['delivered', 'redelivered'].includes(what) ? 'to' : 'by'} ${worker(whose)}`;
        return h('li', {}, h('time', {}, time(at)), `${what}${who}`);
      };
      const fates = message.copies.map((copy) => `${copy.outcome.replaceAll('_', ' ')} (${this.picture.queues[copy.queue].name}`
        + `${copy.causes ? `: ${copy.causes.join(', ')}` : ''})${copy.doubled ? ', finished more than once' : ''}`);
      this.story.replaceChildren(
        h('b', {}, `message ${this.name(message)}: ${fates.join('; ') || 'came to no queue'}`),
        message.steps.length
          ? h('ol', {}, message.steps.map(said))
          : h('p', { class: 'soft' }, 'Its steps were not kept: it is not among the first of its producer.'));
    }

    chips(messages, most) {
      const chip = (message) => h('button', {
        type: 'button', onclick: () => { this.kept = message; this.timeline.show([message]); this.tell(message); this.timeline.focus(message); },
      }, this.name(message));
      const more = messages.length - most;
      return h('span', { class: 'chips' }, messages.slice(0, most).map(chip), more > 0 ? ` and ${number(more)} more` : null);
    }

    why() {
      const { causes, notes } = this.variant;
      if (!causes.length && !notes.length) return null;
      const same = (one, other) => [...one].sort().join() === [...other].sort().join();
      const line = (row) => {
        const mine = (copy) => (row.outcome === 'duplicates'
          ? copy.doubled : copy.outcome === row.outcome && same(copy.causes ?? [], row.causes));
        const messages = this.picture ? this.picture.messages.filter((it) => it.copies.some(mine)) : [];
        return h('li', {}, h('b', {}, `${number(row.count)} ${row.outcome.replaceAll('_', ' ')}: `), row.text,
          messages.length ? h('div', {}, h('span', { class: 'soft' }, 'messages '), this.chips(messages, 60)) : null);
      };
      return h('div', {}, h('h3', {}, 'Why'), h('ul', { class: 'why' }, causes.map(line), notes.map((note) => h('li', {}, note))));
    }

    expectations() {
      const { expectations } = this.variant;
      if (!expectations.length) return null;
      const row = (it) => h('tr', {}, h('td', { class: it.held === null ? 'skipped' : it.held ? 'pass' : 'fail' },
        it.held === null ? 'not judged' : it.held ? 'held' : 'failed'),
      h('td', {}, it.path), h('td', {}, it.expected), h('td', {}, it.actual === null ? '' : String(it.actual)),
      h('td', { class: 'number soft' }, `line ${it.line}`));
      return h('div', {}, h('h3', {}, 'Expected'), table(['', 'what', 'expected', 'was', ''], expectations.map(row)));
    }

    figure() {
      this.timeline = new Timeline(this.picture, (message, keep) => this.choose(message, keep));
      const legend = (color, text) => h('span', {}, h('i', { style: `background:var(--${color})` }), text);
      return h('div', {}, h('h3', {}, 'Timeline'),
        h('div', { class: 'legend' }, legend('ready', 'published, ready in the queue'), legend('unacked', 'with a consumer, unacked'),
          legend('work', 'worked on'), legend('tie', 'again: redelivered'), legend('dead', 'died in work; × lost, where it was last seen'),
          legend('fault', 'fault')),
        h('div', { class: 'frame' }, this.timeline.svg), this.story);
    }

    timings() {
      const { timings } = this.variant;
      if (!timings) return null;
      const rows = [];
      for (const [name, value] of Object.entries(timings)) {
        if (value === null) continue;
        const said = typeof value === 'object' ? Object.entries(value).map(([what, it]) => `${what} ${it}`).join(' · ') : String(value);
        if (said) rows.push(h('tr', {}, h('td', {}, name.replaceAll('_', ' ')), h('td', {}, said)));
      }
      return rows.length ? h('div', {}, h('h3', {}, 'Times and rates'), table(null, rows)) : null;
    }

    more() {
      const { faults, workers, queues, errors, guarantees } = this.variant;
      const cell = (value) => h('td', { class: typeof value === 'number' ? 'number' : null }, value === null ? '' : typeof value === 'number' ? number(value) : String(value));
      const rows = (all, ...names) => all.map((it) => h('tr', {}, names.map((name) => cell(it[name]))));
      const part = (title, all, ...names) => (all.length
        ? h('div', {}, h('h3', {}, title), table(names.map((name) => name.replaceAll('_', ' ')), rows(all, ...names))) : null);
      const ranges = guarantees.map((it) => ({ ...it, foretold: it.high === null ? `${it.low} or more` : it.low === it.high ? `${it.low}` : `${it.low} to ${it.high}` }));
      return h('div', {},
        this.picture?.topology ? h('div', {}, h('h3', {}, 'Topology'), h('pre', {}, this.picture.topology)) : null,
        h('div', { class: 'columns' },
          part('Faults', faults, 'fault', 'at_ms', 'effect', 'recovered_ms'),
          part('Workers', workers, 'name', 'deliveries', 'finished', 'redelivered', 'acked'),
          part('Queues', queues, 'name', 'expected', 'delivered', 'lost', 'remaining'),
          part('Errors', errors, 'who', 'code', 'text')),
        guarantees.length ? h('details', {}, h('summary', {}, 'What the plan foretold'),
          table(['count', 'foretold', 'was', 'rule'], rows(ranges, 'count', 'foretold', 'actual', 'rule'))) : null);
    }
  }

  const table = (heads, rows) => h('table', {},
    heads ? h('thead', {}, h('tr', {}, heads.map((it) => h('th', {}, it)))) : null, h('tbody', {}, rows));

  // ---- The page -----------------------------------------------------------------------------

  const page = document.getElementById('page');
  const views = [];
  /** A variant is drawn when somebody opens it. */
  const drawers = [];
  const broker = report.broker.version ? `RabbitMQ ${report.broker.version} (${report.broker.kind})` : 'no broker';
  page.append(h('header', {},
    h('h1', {}, badge(report.verdict), report.scenarios.length === 1 ? report.scenarios[0].scenario : plural(report.scenarios.length, 'scenario')),
    h('p', { class: 'soft' }, `${broker} · rmq-scenario ${report.tool} · seed ${report.seed}`)));

  const all = report.scenarios.flatMap((scenario, index) => scenario.variants.map((variant, at) =>
    ({ scenario, variant, picture: pictures[index]?.[at] ?? null, id: `run-${index + 1}-${at + 1}` })));
  const called = ({ scenario, variant }) => (variant.name ? `${scenario.scenario} · ${variant.name}` : scenario.scenario);
  if (all.length > 1) {
    page.append(table(['', 'variant', 'published', 'delivered', 'lost', 'redelivered', 'duplicates'], all.map((run) => h('tr', {},
      h('td', {}, badge(run.variant.verdict)), h('td', {}, h('a', { href: `#${run.id}`, onclick: () => { document.getElementById(run.id).open = true; } }, called(run))),
      ['published', 'delivered', 'lost', 'redelivered', 'duplicates'].map((name) => h('td', { class: 'number' }, number(run.variant.counts[name])))))));
  }
  for (const run of all) {
    const box = h('details', { class: 'variant', id: run.id },
      h('summary', {}, badge(run.variant.verdict), h('h2', {}, called(run)), h('span', { class: 'soft' }, `  ${run.scenario.file}`)));
    const draw = () => {
      if (box.dataset.drawn) return;
      box.dataset.drawn = 'yes';
      const view = new View(run.variant, run.picture);
      views.push(view);
      box.append(view.node);
    };
    drawers.push(draw);
    box.addEventListener('toggle', () => { if (box.open) draw(); });
    page.append(box);
    box.open = all.length <= 6 || ['fail', 'error'].includes(run.variant.verdict);
  }
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') views.forEach((view) => view.clear());
  });
  window.addEventListener('beforeprint', () => {
    drawers.forEach((draw) => draw());
    document.querySelectorAll('details').forEach((it) => { it.open = true; });
  });
})();
