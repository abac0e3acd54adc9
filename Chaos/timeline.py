"""Draws a run as an SVG of lanes: faults, leader, nodes, Redis servers, shards owned."""

from html import escape

WIDTH, LEFT, RIGHT = 1600, 130, 30
FAULT_ROW, FAULT_ROWS = 17, 8  # labels of faults that follow each other closely share the rows
LANE, GAP = 20, 8
LABEL_PIXELS = 6.3  # of one letter at the size used
TICKS = (5, 10, 15, 30, 60, 120, 300, 600)  # seconds; at most some twenty on the page
MOST_TICKS = 22

INK, FAINT, GRID = "#24292f", "#6e7781", "#e6e8eb"
COLOURS = ("#2f6fb7", "#2d8a5f", "#b5651d", "#7d4fa8", "#a33a56", "#4f7d8a", "#8a7a2d", "#5b5bd6")
KINDS = {"faults_nodes": "#d97706", "faults_masters": "#b91c1c", "faults_network": "#2563eb",
         "faults_servers": "#7c3aed"}
KIND_NAMES = {"faults_nodes": "nodes", "faults_masters": "masters", "faults_network": "the wire",
              "faults_servers": "servers"}
GOOD, PARTLY, NONE = "#4c9f70", "#e0a030", "#d1493f"


class Page:
    """Shapes on a scale of time."""

    def __init__(self, begin, end):
        self.begin, self.span = begin, max(1.0, end - begin)
        self.y, self.parts = 40, []

    def x(self, at):
        inside = min(max(at - self.begin, 0), self.span)
        return LEFT + (WIDTH - LEFT - RIGHT) * inside / self.span

    def bar(self, begin, end, y, height, colour, title="", opacity=1.0):
        x = self.x(begin)
        self.parts.append(
            '<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s" opacity="%.2f" rx="1.5">'
            "<title>%s</title></rect>" % (
                x, y, max(1.5, self.x(end) - x), height, colour, opacity, escape(title)))

    def text(self, x, y, words, size=11, colour=INK, anchor="start"):
        self.parts.append('<text x="%.1f" y="%.1f" font-size="%d" fill="%s" text-anchor="%s">%s'
                          "</text>" % (x, y, size, colour, anchor, escape(words)))

    def lane(self, name, height=LANE):
        """Room for one more lane; gives its top."""
        top = self.y
        self.text(LEFT - 10, top + height / 2 + 4, name, anchor="end")
        self.parts.append('<rect x="%d" y="%.1f" width="%d" height="%.1f" fill="#f6f8fa"/>' % (
            LEFT, top, WIDTH - LEFT - RIGHT, height))
        self.y += height + GAP
        return top

    def ticks(self):
        step = next((tick for tick in TICKS if self.span / tick <= MOST_TICKS), TICKS[-1])
        lines = []
        for number in range(int(self.span / step) + 1):
            x = self.x(self.begin + number * step)
            lines.append('<line x1="%.1f" y1="34" x2="%.1f" y2="%.1f" stroke="%s"/>' % (
                x, x, self.y, GRID))
            self.text(x, self.y + 12, "%d s" % (number * step), 10, FAINT, "middle")
        self.y += 22
        return lines

    def svg(self, lines):
        return ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%.0f" '
                'viewBox="0 0 %d %.0f" font-family="DejaVu Sans, Helvetica, Arial, sans-serif">'
                '<rect width="100%%" height="100%%" fill="white"/>%s</svg>\n' % (
                    WIDTH, self.y + 10, WIDTH, self.y + 10, "\n".join(self.parts + lines)))


def draw_faults(page, events):
    top = page.lane("faults", FAULT_ROW * FAULT_ROWS)
    free = [0.0] * FAULT_ROWS  # the x from which each row is empty
    for event in events:
        x = page.x(event.begin)
        row = min(range(FAULT_ROWS), key=lambda index: (free[index] > x, free[index], index))
        colour = KINDS.get(event.step.fault.__module__, INK)
        y = top + row * FAULT_ROW
        title = "%d %s %s: %s" % (event.step.number, event.name, event.target, event.effect)
        page.bar(event.begin, event.end, y + 2, FAULT_ROW - 5, colour, title)
        # The name stands behind its bar, unless the row's next fault is too near for it.
        label = event.name if free[row] <= x else str(event.step.number)
        page.text(page.x(event.end) + 3, y + 12, label, 10)
        free[row] = page.x(event.end) + 8 + LABEL_PIXELS * len(label)


def owners(looks):
    """[(begin, end, node)] of the leader as `status` showed it."""
    spans = []
    for look, following in zip(looks, looks[1:]):
        name = (look.leader or "").split("/")[0]
        if spans and spans[-1][2] == name:
            spans[-1][1] = following.at
        else:
            spans.append([look.at, following.at, name])
    return [span for span in spans if span[2]]


def draw_nodes(page, campaign, looks, colours):
    top = page.lane("leader")
    for begin, end, name in owners(looks):
        page.bar(begin, end, top, LANE, colours.get(name, FAINT), name, 0.85)
        if page.x(end) - page.x(begin) > LABEL_PIXELS * (len(name) + 2):
            page.text(page.x(begin) + 4, top + 14, name, 11, "white")
    for at, name, term in campaign.stage.watch.leaders():
        x = page.x(at)
        page.parts.append('<path d="M%.1f %.1f l4 -6 h-8 z" fill="%s"><title>%s elected, %s</title>'
                          "</path>" % (x, top, colours[name], name, escape(term)))
    for node in campaign.stage.nodes:
        top = page.lane(node.name)
        starts = [at for at, event, _ in node.events() if event == "started"]
        ends = [at for at, _, _ in node.ends]
        for start in starts:
            end = next((at for at in ends if at >= start), campaign.ended)
            page.bar(start, end, top + 4, LANE - 8, colours[node.name], "%s runs" % node.name, 0.6)
        for begin, end in node.pauses:
            page.bar(begin, end, top + 4, LANE - 8, "#c9cdd2", "%s paused" % node.name)
        for at, code, expected in node.ends:
            page.text(page.x(at), top + 14, "×", 14, INK if expected else NONE, "middle")


def draw_servers(page, campaign, looks):
    for node in campaign.stage.cluster.nodes:
        top = page.lane("redis %d" % node["index"])
        samples = campaign.stage.server_states
        for (at, states), (following, _) in zip(samples, samples[1:] + [(campaign.ended, None)]):
            state = states[node["index"]]
            colour, height = {"master": ("#5b6b7d", LANE - 4), "replica": ("#b8c4d0", LANE - 12),
                              "paused": ("#e0a030", LANE - 4)}.get(state, (None, 0))
            if colour:
                page.bar(at, following, top + (LANE - height) / 2, height, colour, state)


def draw_shards(page, looks):
    top = page.lane("shards owned")
    for look, following in zip(looks, looks[1:]):
        shards = ((look.status or {}).get("shardMap") or {}).get("shards", 64)
        share = look.owned / shards
        colour = GOOD if look.settled else PARTLY if share > 0 else NONE
        page.bar(look.at, following.at, top, LANE, colour, "%d owned%s" % (
            look.owned, "" if look.status else ", status did not answer"), 0.8)


def draw_legend(page):
    x = LEFT
    page.y += 8
    marks = [("fault of " + KIND_NAMES[kind], colour) for kind, colour in KINDS.items()]
    marks += [("paused", "#c9cdd2"), ("master", "#5b6b7d"), ("replica", "#b8c4d0"),
              ("all owned and settled", GOOD), ("leader or owners missing", PARTLY),
              ("no answer", NONE)]
    for label, colour in marks:
        page.parts.append('<rect x="%.1f" y="%.1f" width="11" height="11" fill="%s"/>' % (
            x, page.y, colour))
        page.text(x + 16, page.y + 10, label, 10, FAINT)
        x += 30 + LABEL_PIXELS * len(label)
    page.y += 18


def draw(campaign, path):
    looks = list(campaign.stage.watch.looks)
    events = [event for event in campaign.events if event.begin]
    page = Page(campaign.stage.begun, campaign.ended)
    page.text(LEFT, 22, "seed %s: %d faults, %s" % (
        campaign.seed, len(events), "good" if campaign.verdict.is_good else "BAD"), 15)
    colours = {node.name: COLOURS[index % len(COLOURS)]
               for index, node in enumerate(campaign.stage.nodes)}
    draw_faults(page, events)
    draw_nodes(page, campaign, looks, colours)
    draw_shards(page, looks)
    draw_servers(page, campaign, looks)
    lines = page.ticks()
    draw_legend(page)
    # The grid first, so that it lies below everything.
    grid, page.parts = lines, page.parts
    backgrounds = [part for part in page.parts if 'fill="#f6f8fa"' in part]
    page.parts = backgrounds + grid + [part for part in page.parts if part not in backgrounds]
    with open(path, "w", encoding="utf-8") as file:
        file.write(page.svg([]))
