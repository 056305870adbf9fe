"""Lints and renders a chart by Helm's own library, without Helm. Arguments: the chart, values as JSON. Prints one line of JSON."""

import json
import sys

import helm_python
import yaml

path, values = sys.argv[1], json.loads(sys.argv[2])
found = helm_python.lint(path)
# An icon is for catalogues of charts.
lint = [str(one) for one in found["messages"] if "icon is recommended" not in one["error"]] + [str(one) for one in found["errors"]]
with helm_python.Chart.load(path) as chart:
    files = {name.rpartition("/")[2]: text for name, text in chart.render(values, name="airudder", namespace="data").items()}
files = {name: text for name, text in files.items() if name.endswith(".yaml") and text.strip()}
text = "\n---\n".join(files.values())
objects = [one for one in yaml.safe_load_all(text) if one]
print(json.dumps({"lint": lint, "files": files, "text": text, "objects": objects}))
