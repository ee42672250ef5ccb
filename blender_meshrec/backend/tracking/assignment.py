"""The best one-to-one matching of two groups."""

import numpy as np


def assign(values, min_value):
    """Match rows to columns so that they are worth the most; what a pair is worth is its value above `min_value`.

    Args:
        values: (R,C), higher is better.

    Returns:
        list of (row, column).

    Source: the Hungarian algorithm in its shortest augmenting path form (Jonker and Volgenant 1987), O(R C^2).
    """
    values = np.asarray(values, float)
    if values.size == 0:
        return []
    rows, columns = values.shape
    # Every row may stay single: a column of its own, worth nothing, stands for that.
    cost = np.full((rows, columns + rows), 1e9)
    cost[:, :columns] = np.where(values > min_value, min_value - values, 1e9)
    cost[np.arange(rows), columns + np.arange(rows)] = 0.0
    row_of = np.full(columns + rows, -1)
    u, v = np.zeros(rows), np.zeros(columns + rows)
    for start in range(rows):
        shortest = np.full(columns + rows, np.inf)
        before = np.full(columns + rows, -1)
        done = np.zeros(columns + rows, bool)
        row, column, length = start, -1, 0.0
        while row >= 0:
            reduced = length + cost[row] - u[row] - v
            better = ~done & (reduced < shortest)
            shortest[better], before[better] = reduced[better], column
            column = int(np.where(done, np.inf, shortest).argmin())
            length, done[column], row = shortest[column], True, row_of[column]
        visited = done & (row_of >= 0)
        u[row_of[visited]] += length - shortest[visited]
        u[start] += length
        v[done] -= length - shortest[done]
        while column >= 0:
            previous = before[column]
            row_of[column] = row_of[previous] if previous >= 0 else start
            column = previous
    return [(int(row_of[column]), column) for column in range(columns) if row_of[column] >= 0]
