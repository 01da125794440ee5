#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# necropy: the oracle's verdict: a truth file against the export of the same process's dump.
"""compare.py TRUTH EXPORT [--json] [--samples N]: the figures, and what differs by type, so that one can act on it.

Figures, each between 0 and 1:
  object recall        objects of the truth that the export has
  type match           of those, with the same type name
  size match           of those whose size is not decided by Python code, with the same sys.getsizeof
  reference recall     references of the truth that the export has, as multisets per object, `referents` only, or
                       `uncounted` (what the dict of interned strings visits and does not count)
  reference precision  of the export's `referents` of the truth's objects, those that are in the truth

Excluded by construction: nothing but what oracle.py leaves out itself (running frame objects before 3.11).  Objects that
only the export has are no error (C owns what no tp_traverse visits); they are counted by type for the reader.
"""
import argparse
import array
import collections
import json
import sys


class Truth:
    """The truth file of oracle.py."""

    def __init__(self, path):
        with open(path, "rb") as source:
            self.header = json.loads(source.readline())
            count = self.header["objects"]
            self.addresses = self._read(source, "Q", count)
            self.ordinals = self._read(source, "I", count)
            self.sizes = self._read(source, "q", count)
            self.flags = self._read(source, "B", count)
            self.degrees = self._read(source, "I", count)
            self.edges = self._read(source, "Q", self.header["references"])
        self.types = self.header["types"]

    @staticmethod
    def _read(source, code, count):
        made = array.array(code)
        made.frombytes(source.read(count * made.itemsize))
        if len(made) != count:
            raise ValueError("the truth file is cut short")
        return made

    def __iter__(self):
        """address, type name, size, tracked, referents"""
        start = 0
        for index, address in enumerate(self.addresses):
            end = start + self.degrees[index]
            yield address, self.types[self.ordinals[index]], self.sizes[index], self.flags[index] & 1, self.edges[start:end]
            start = end


def read_export(path):
    """The NDJSON export as {address: line}."""
    made = {}
    with open(path, "rb") as source:
        for line in source:
            thing = json.loads(line)
            if "address" not in thing:
                continue
            address = int(thing["address"], 16)
            if address in made:
                raise ValueError("%s: %#x is exported twice" % (path, address))
            made[address] = thing
    return made


def multiset_overlap(wanted, got):
    """How many are in both, what is missing, what is too much."""
    if sorted(wanted) == sorted(got):
        return len(wanted), [], []
    wanted, got = collections.Counter(wanted), collections.Counter(got)
    return (sum((wanted & got).values()), list((wanted - got).elements()), list((got - wanted).elements()))


class Differences:
    """What differs, by kind of difference and by type: a count and a few samples."""

    def __init__(self, samples):
        self.samples = samples
        self.found = {}

    def add(self, kind, name, sample):
        entry = self.found.setdefault((kind, name), [0, []])
        entry[0] += 1
        if len(entry[1]) < self.samples:
            entry[1].append(sample)

    def rows(self):
        ordered = sorted(self.found.items(), key=lambda item: -item[1][0])
        return [{"kind": kind, "type": name, "count": count, "samples": samples}
                for (kind, name), (count, samples) in ordered]


def ratio(part, whole):
    return part / whole if whole else 1.0


def compare(truth, export, samples=3):
    """The figures and the differences as plain values."""
    differences = Differences(samples)
    names = {}
    known = set(truth.addresses)

    def named(addresses):
        if not names:
            for address, name, _, _, _ in truth:
                names[address] = name
        return ["%#x %s" % (address, names.get(address) or "%s (not in the truth)" % export.get(address, {}).get(
            "type", "nothing")) for address in addresses[:8]]

    found = same_type = sized = same_size = wanted_edges = got_edges = shared_edges = lists = listed = 0
    for address, name, size, tracked, referents in truth:
        wanted_edges += len(referents)
        line = export.get(address)
        if line is None:
            differences.add("object missing", name, {"address": hex(address), "tracked": tracked})
            continue
        found += 1
        if line["type"] == name:
            same_type += 1
        else:
            differences.add("type", name, {"address": hex(address), "got": line["type"]})
        if size >= 0:
            sized += 1
            if line["size"] == size:
                same_size += 1
            else:
                differences.add("size", name, {"address": hex(address), "want": size, "got": line["size"]})
        if tracked:
            lists += 1
            listed += line.get("source") == "gc-list"
        got = [int(text, 16) for text in line.get("referents", line.get("uncounted", ()))]
        overlap, missing, extra = multiset_overlap(referents, got)
        shared_edges += overlap
        got_edges += len(got)
        if missing or extra:
            differences.add("referents", name, {"address": hex(address), "missing": named(missing), "extra": named(extra)})
    only = collections.Counter("%s (%s)" % (line["type"], line.get("source"))
                               for address, line in export.items() if address not in known)
    figures = {"object recall": ratio(found, len(truth.addresses)), "type match": ratio(same_type, found),
               "size match": ratio(same_size, sized), "reference recall": ratio(shared_edges, wanted_edges),
               "reference precision": ratio(shared_edges, got_edges)}
    return {"objects": len(truth.addresses), "references": wanted_edges, "exported": len(export), "figures": figures,
            "tracked and listed": ratio(listed, lists), "differences": differences.rows(),
            "only in the export": dict(only.most_common(40))}


def print_verdict(verdict, out=sys.stdout):
    print("%d objects, %d references in the truth; %d objects exported" % (
        verdict["objects"], verdict["references"], verdict["exported"]), file=out)
    for name, value in verdict["figures"].items():
        print("  %-20s %.6f" % (name, value), file=out)
    print("  %-20s %.6f (for information)" % ("tracked and listed", verdict["tracked and listed"]), file=out)
    for row in verdict["differences"]:
        print("%7d  %s: %s" % (row["count"], row["kind"], row["type"]), file=out)
        for sample in row["samples"]:
            print("           " + ", ".join("%s %s" % item for item in sample.items()), file=out)
    extra = verdict["only in the export"]
    if extra:
        print("only in the export: " + ", ".join("%d %s" % (count, name) for name, count in extra.items()), file=out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("truth")
    parser.add_argument("export")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--samples", type=int, default=3)
    options = parser.parse_args()
    verdict = compare(Truth(options.truth), read_export(options.export), options.samples)
    if options.json:
        json.dump(verdict, sys.stdout, indent=2)
    else:
        print_verdict(verdict)
    return 0 if min(verdict["figures"].values()) >= 0.9999 else 1


if __name__ == "__main__":
    sys.exit(main())
