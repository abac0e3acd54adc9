/// A queue on a ring: appending and taking cost the same however long it is.
struct FirstInFirstOut<Element> {
    /// Rings longer than this are given back when they run empty.
    private static var keptCapacity: Int { 4_096 }

    private var ring: [Element?] = []
    private var head = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    var first: Element? { count == 0 ? nil : ring[head] }

    mutating func append(_ element: Element) {
        if count == ring.count { grow() }
        ring[(head + count) & (ring.count - 1)] = element
        count += 1
    }

    mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = ring[head].take()
        head = (head + 1) & (ring.count - 1)
        count -= 1
        if count == 0, ring.count > Self.keptCapacity { ring = [] }
        return element
    }

    /// Empties the queue and returns what was in it, in order.
    mutating func takeAll() -> [Element] {
        var all: [Element] = []
        all.reserveCapacity(count)
        while let element = popFirst() { all.append(element) }
        return all
    }

    func visit(_ body: (Element) -> Void) {
        for offset in 0..<count {
            if let element = ring[(head + offset) & (ring.count - 1)] { body(element) }
        }
    }

    /// Drops those that `isUnwanted` names; the others keep their order.
    mutating func removeAll(where isUnwanted: (Element) -> Bool) {
        for element in takeAll() where !isUnwanted(element) { append(element) }
    }

    private mutating func grow() {
        // A power of two, so that the ring's end is found by a mask.
        var larger: [Element?] = Array(repeating: nil, count: max(16, ring.count * 2))
        for offset in 0..<count { larger[offset] = ring[(head + offset) & (ring.count - 1)] }
        ring = larger
        head = 0
    }
}
