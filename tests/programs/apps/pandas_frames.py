# SPDX-License-Identifier: MIT
# necropy: NumPy arrays of every kind, pandas frames, groupbys, categoricals.
"""pandas_frames.py: the heap of a small analysis, with object arrays and structured ones that hold objects."""
import gc
import os
import sys

import numpy
import pandas

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

KEPT = {}


class Thing:
    def __init__(self, number):
        self.number = number


def arrays():
    things = numpy.array([Thing(number) for number in range(500)], dtype=object)
    record = numpy.dtype([("id", "i4"), ("who", "O"), ("where", [("x", "f8"), ("what", "O")]), ("pair", "O", (2,))])
    records = numpy.zeros(50, dtype=record)
    for number in range(50):
        records[number] = (number, Thing(number), (number / 3, [number]), (Thing(-number), "text %d" % (number + 1000)))
    nested = numpy.empty((4, 5, 6), dtype=object)
    nested.ravel()[:] = [[number] for number in range(120)]
    return {"things": things, "view": things[10:200:3], "records": records, "field": records["who"], "fortran": nested.T.copy("F"),
            "nested": nested, "reversed": nested[::-1, :, ::2], "scalar": numpy.array(Thing(7), dtype=object),
            "empty": numpy.empty((0, 3), dtype=object), "broadcast": numpy.broadcast_to(things[:5], (1000, 5)),
            "floats": numpy.arange(10000.0), "matrix": numpy.ones((30, 40)) @ numpy.ones((40, 20)), "texts": numpy.array(["a", "bcd"] * 50),
            "masked": numpy.ma.array([1, 2, 3], mask=[0, 1, 0]), "scalars": [numpy.float64(3.5), numpy.int8(3), numpy.datetime64("2020-01-01")],
            "iterator": numpy.nditer(numpy.arange(6).reshape(2, 3)), "flat": things.flat, "generator": numpy.random.default_rng(1),
            "function": numpy.frompyfunc(lambda left, right: (left, right), 2, 1), "memory": memoryview(numpy.arange(12).reshape(3, 4)),
            "vectorized": numpy.vectorize(str), "record": records[3], "polynomial": numpy.polynomial.Polynomial([1, 2, 3])}


def frames():
    count = 3000
    frame = pandas.DataFrame({
        "name": ["name %d" % (number % 70) for number in range(count)], "value": numpy.linspace(0, 1, count),
        "when": pandas.date_range("2021-01-01", periods=count, freq="h"), "thing": [Thing(number) for number in range(count)],
        "kind": pandas.Categorical(["abc"[number % 3] for number in range(count)]), "whole": pandas.array(range(count), dtype="Int64"),
        "span": pandas.to_timedelta(range(count), unit="s"), "text": pandas.array(["t%d" % number for number in range(count)], dtype="string")})
    groups = frame.groupby("name")
    sums, by_kind = groups["value"].agg(["sum", "mean", "max"]), frame.groupby(["kind", "name"], observed=True)
    indexed = frame.set_index(["kind", "name", "when"]).sort_index()
    indexed.loc[("a",)]
    groups.get_group("name 3")
    dict(list(groups))
    return {"frame": frame, "groups": groups, "sums": sums, "by_kind": by_kind.size(), "by_kind_groups": by_kind.groups, "indexed": indexed,
            "pivot": frame.pivot_table(index="name", columns="kind", values="value", observed=True),
            "merged": frame[["name", "value"]].merge(sums.reset_index(), on="name"), "rolling": frame["value"].rolling(5),
            "intervals": pandas.cut(frame["value"], 10), "period": pandas.period_range("2020-01", periods=20, freq="M"),
            "sparse": pandas.arrays.SparseArray([0, 0, 1, 2] * 20), "stamps": [pandas.Timestamp("2020-02-03", tz="UTC"), pandas.NaT, pandas.NA],
            "offsets": [pandas.offsets.BusinessDay(3), pandas.Timedelta("3h"), pandas.Period("2020-01")], "rows": list(frame.head(50).itertuples()),
            "resampled": frame.set_index("when")["value"].resample("D"), "index": pandas.Index([Thing(1), Thing(2)]), "iterator": frame.iterrows()}


def main():
    KEPT.update(arrays())
    KEPT.update(frames())
    next(KEPT["frame"].iterrows())
    assert KEPT["frame"]["name"].value_counts().iloc[0] > 40
    gc.collect()
    oracle.hold()


if __name__ == "__main__":
    main()
