"""Shows devices as they are found: scanner.py [SECONDS] [LOCAL_ADDRESS PORT PORT PORT]"""

import sys

from rustuya import Scanner


def main() -> None:
    scanner = Scanner().timeout(float(sys.argv[1]) if len(sys.argv) > 1 else 18.0)
    if len(sys.argv) > 2:
        # For a machine with several networks: the address to listen on, and other ports than the usual.
        first, second, third = (int(port) for port in sys.argv[3:6])
        scanner.bind_address(sys.argv[2]).ports((first, second, third)).active(False)
    seen: set[str] = set()
    for found in scanner:
        # Devices repeat their announcements.
        if found.id not in seen:
            seen.add(found.id)
            print(found.id, found.ip, found.version, found.product_id, flush=True)
    print(len(seen), "devices")


if __name__ == "__main__":
    main()
