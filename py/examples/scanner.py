"""Shows devices as they are heard: scanner.py [SECONDS]"""

import sys

from rustuya import Scanner

seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 18.0
seen = set()
for found in Scanner().timeout(seconds):
    if found.id not in seen:
        seen.add(found.id)
        print(found.id, found.ip, found.version, found.product_id, flush=True)
print(len(seen), "devices")
