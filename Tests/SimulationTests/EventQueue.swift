/// Something that is to happen at a moment of the simulation.
///
/// Plain numbers only, so that the queue moves bytes and counts no references.
enum Happening {
    /// A call reaches a server; the second number is the group of servers it goes to.
    case arrival(Int32, Int8)
    /// The reply to a call reaches its node.
    case reply(Int32)
    /// A node gives a call up: no reply came.
    case timeout(Int32)
    /// What a node's core waits for is due.
    case timer(Int32)
    /// Somebody wrote down that something happened; the flag: the lease is free.
    case notice(Int32, isLease: Bool)
    /// A node's reader or its rotations go on.
    case readOn(Int32)
    case rotate(Int32, Int8)
    /// A node of a name starts.
    case start(Int8)
    /// A promotion of a group's replica, the attachment of a new one, an old master's end.
    case promotion(Int8, of: Int16)
    case replicaBack(Int8)
    case demotion(Int16)
    /// The slot of a shard has moved.
    case migrated(Int8, to: Int8)
    /// A tracker appends an event.
    case append
    /// Something breaks; everything is healed; everybody looks whether all is well.
    case trouble
    case healing
    case look
}

/// What is to happen, in order of time, and of arrival in the queue at the same time.
struct EventQueue {
    struct Entry {
        let time: Int64
        let order: UInt32
        let happening: Happening
    }

    private var heap: [Entry] = []
    private var order: UInt32 = 0

    init() {
        heap.reserveCapacity(256)
    }

    mutating func push(_ happening: Happening, at time: Int64) {
        order += 1
        let entry = Entry(time: time, order: order, happening: happening)
        heap.append(entry)
        var place = heap.count - 1
        while place > 0 {
            let parent = (place - 1) / 2
            guard Self.precedes(entry, heap[parent]) else { break }
            heap[place] = heap[parent]
            place = parent
        }
        heap[place] = entry
    }

    mutating func pop() -> Entry? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        guard !heap.isEmpty else { return first }
        var place = 0
        while true {
            var child = place * 2 + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, Self.precedes(heap[child + 1], heap[child]) { child += 1 }
            guard Self.precedes(heap[child], last) else { break }
            heap[place] = heap[child]
            place = child
        }
        heap[place] = last
        return first
    }

    private static func precedes(_ left: Entry, _ right: Entry) -> Bool {
        left.time != right.time ? left.time < right.time : left.order < right.order
    }
}
