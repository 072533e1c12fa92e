"""The shapes of JSON values, as §8 has them."""

import json

from codes import need
from leaf import unbase64
from notes import MAX_INTEGER


def once(pairs):
    members = dict(pairs)
    need(len(members) == len(pairs), "bundle_json", "a member twice")
    return members


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def shape(value, required, optional=()):
    need(type(value) is dict, "bundle_json", "object")
    need(set(required) <= set(value) <= set(required) | set(optional), "bundle_json", "members")
    for name, check in required.items():
        check(value[name])


def text(value):
    need(type(value) is str, "bundle_json", "text")


def integer(value):
    need(type(value) is int and 0 <= value <= MAX_INTEGER, "bundle_json", "integer")


def field_id(value):
    need(type(value) is int and 1 <= value <= 65535, "bundle_json", "field id")


def octets(length=None):
    def check(value):
        text(value)
        need(length in (None, len(unbase64(value, "bundle_json"))), "bundle_json", "length")

    return check


def array(check):
    def checked(value):
        need(type(value) is list, "bundle_json", "array")
        for element in value:
            check(element)

    return checked


def shaped(required):
    return lambda value: shape(value, required)


def bounded(value, least, most):
    need(least <= len(value) <= most, "bundle_limits")


def increasing(items):
    need(all(a < b for a, b in zip(items, items[1:])), "bundle_order")


def unhex(digits):
    def check(value):
        need(type(value) is str and len(value) == digits + 2, "bundle_json")
        need(value[:2] == "0x" and set(value[2:]) <= set("0123456789abcdef"), "bundle_json")

    return check
