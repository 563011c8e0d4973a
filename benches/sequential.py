#!/usr/bin/env python3
"""Lists every account's shares one after the other, as a plain script would: what a scan is compared with.

It decodes each list, counts, and keeps nothing. NEXTCLOUD_URL, APP_ID and APP_SECRET name the server and the AppAPI
credential; docs/performance.md says what its figures mean.
"""

import base64
import json
import os
import time
import urllib.error
import urllib.request

URL = os.environ["NEXTCLOUD_URL"].rstrip("/")
APP_ID = os.environ["APP_ID"]
SECRET = os.environ["APP_SECRET"]
USERS = "/ocs/v2.php/apps/app_api/api/v1/users?format=json"
SHARES = "/ocs/v2.php/apps/files_sharing/api/v1/shares?reshares=true&format=json"


def ask(path, account):
    """What the server tells an account."""
    signed = base64.b64encode(f"{account}:{SECRET}".encode()).decode()
    headers = {
        "OCS-APIRequest": "true",
        "EX-APP-ID": APP_ID,
        "EX-APP-VERSION": "1.0.0",
        "AUTHORIZATION-APP-API": signed,
    }
    with urllib.request.urlopen(urllib.request.Request(URL + path, headers=headers)) as answer:
        return json.load(answer)["ocs"]["data"]


def main():
    began = time.monotonic()
    accounts = ask(USERS, "")
    seen, refused = set(), 0
    for account in accounts:
        try:
            seen.update(share["id"] for share in ask(SHARES, account))
        except urllib.error.HTTPError:
            refused += 1  # disabled accounts
    took = time.monotonic() - began
    print(f"{len(accounts)} accounts, {refused} refused, {len(seen)} shares, {len(accounts) + 1} requests, {took:.2f} s")


if __name__ == "__main__":
    main()
