/// Finds what a misspelt word was meant to be.
public enum Suggestion {
    /// Longer words than any name here are not compared: the cost grows with the square.
    private static let longestWord = 40

    /// The nearest candidate, if it is near enough to be a slip: one change for up to four letters,
    /// two for up to eight, else three; or a candidate that the word begins.
    public static func nearest(to word: String, among candidates: [String]) -> String? {
        guard !word.isEmpty, word.utf8.count <= longestWord else { return nil }
        let limit = word.count <= 4 ? 1 : word.count <= 8 ? 2 : 3
        let ranked = candidates.map { (candidate: $0, distance: distance(word, $0)) }
        if let best = ranked.min(by: { $0.distance < $1.distance }), best.distance <= limit {
            return best.candidate
        }
        let beginnings = candidates.filter { $0.hasPrefix(word) }
        return beginnings.count == 1 ? beginnings[0] : nil
    }

    /// The Damerau–Levenshtein distance (optimal string alignment): insertions, deletions,
    /// substitutions and swaps of neighbours.
    static func distance(_ left: String, _ right: String) -> Int {
        let left = Array(left.utf8)
        let right = Array(right.utf8)
        var beforeLast = [Int](repeating: 0, count: right.count + 1)
        var last = Array(0...right.count)
        for i in left.indices {
            var row = [i + 1]
            for j in right.indices {
                let change = left[i] == right[j] ? 0 : 1
                var best = min(last[j] + change, last[j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                    best = min(best, beforeLast[j - 1] + 1)
                }
                row.append(best)
            }
            (beforeLast, last) = (last, row)
        }
        return last[right.count]
    }
}
