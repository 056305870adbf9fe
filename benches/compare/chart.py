"""A bar chart as SVG, that reads in light and dark pages."""

from html import escape

WIDTH, LABEL, BAR, STEP, TOP = 760, 250, 16, 44, 50


def svg(title, bars):
    """`bars`: (name, CPU seconds, wall seconds); the first one is ours."""
    most = max(max(cpu, wall) for _, cpu, wall in bars)
    scale = (WIDTH - LABEL - 70) / most
    height = TOP + STEP * len(bars) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        "<style>text{fill:#1f2328}.cpu{fill:#57606a}.ours{fill:#0969da}.wall{fill:#afb8c1}"
        "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.cpu{fill:#8b949e}.ours{fill:#4493f8}.wall{fill:#484f58}}</style>",
        f'<text x="8" y="20" font-weight="600">{escape(title)}</text>',
        f'<rect class="cpu" x="{LABEL}" y="28" width="12" height="10"/><text x="{LABEL + 18}" y="38">CPU</text>',
        f'<rect class="wall" x="{LABEL + 60}" y="28" width="12" height="10"/><text x="{LABEL + 78}" y="38">wall</text>',
    ]
    for index, (name, cpu, wall) in enumerate(bars):
        y = TOP + STEP * index
        kind = "ours" if index == 0 else "cpu"
        weight = ' font-weight="600"' if index == 0 else ""
        parts += [
            f'<text x="{LABEL - 8}" y="{y + 21}" text-anchor="end"{weight}>{escape(name)}</text>',
            f'<rect class="{kind}" x="{LABEL}" y="{y}" width="{cpu * scale:.1f}" height="{BAR}"/>',
            f'<text x="{LABEL + cpu * scale + 6:.1f}" y="{y + 13}"{weight}>{cpu:.1f}</text>',
            f'<rect class="wall" x="{LABEL}" y="{y + BAR}" width="{wall * scale:.1f}" height="{BAR}"/>',
            f'<text x="{LABEL + wall * scale + 6:.1f}" y="{y + BAR + 13}">{wall:.1f}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])
