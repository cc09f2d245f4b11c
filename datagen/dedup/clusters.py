"""Union-find over verified pairs; a cluster's representative is its first member."""


class Clusters:
    """Disjoint sets over ``0..n-1``. ``find`` gives the smallest index of a cluster."""

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))

    def find(self, i: int) -> int:
        while self._parent[i] != i:
            self._parent[i] = self._parent[self._parent[i]]
            i = self._parent[i]
        return i

    def union(self, i: int, j: int) -> None:
        a, b = self.find(i), self.find(j)
        if a != b:
            self._parent[max(a, b)] = min(a, b)

    def groups(self) -> list[list[int]]:
        """Return clusters of two or more, members ascending, clusters by first member."""
        found: dict[int, list[int]] = {}
        for i in range(len(self._parent)):
            found.setdefault(self.find(i), []).append(i)
        return [members for members in found.values() if len(members) > 1]
