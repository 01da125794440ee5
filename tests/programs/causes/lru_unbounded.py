# SPDX-License-Identifier: MIT
# necropy: functools.lru_cache(maxsize=None) on what users ask.
import service

SOURCE = '''
import functools

class Profile:
    def __init__(self, user):
        self.user = user
        self.rights = ["read", user]

@functools.lru_cache(maxsize=None)
def load_profile(user):
    return Profile(user)
'''


def main():
    service.start()
    profiles = service.module("shop.profiles", SOURCE)
    for number in range(service.count(8000)):
        profiles.load_profile("user-%d" % number)
        if number % 10 == 0:
            profiles.load_profile("user-%d" % number)
    service.rest()


if __name__ == "__main__":
    main()
