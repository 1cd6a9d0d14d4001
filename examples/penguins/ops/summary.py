"""One line at the end of a run, from the final status that jalon hands to every `finally` node."""

import json
import os
import sys

status = json.loads(os.environ["JALON_FINAL_STATUS"])
failed = [node["name"] for node in status.get("nodes", []) if node.get("state") == "FAILED"]
line = f"penguins: {sys.argv[1]} (run {status['pipeline_job_resource_name']})"
if failed:
    line += "; failed: " + ", ".join(failed)
print(line)
