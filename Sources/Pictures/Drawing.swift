/// A picture as plain shapes, in the order in which they are painted; units are pixels from the top
/// left.
public struct Drawing: Equatable, Sendable {
    /// A colour without a name, each part 0 to 255.
    public struct Colour: Equatable, Sendable {
        let red: UInt8
        let green: UInt8
        let blue: UInt8
        var opacity = 1.0

        init(_ rgb: UInt32, opacity: Double = 1) {
            red = UInt8(truncatingIfNeeded: rgb >> 16)
            green = UInt8(truncatingIfNeeded: rgb >> 8)
            blue = UInt8(truncatingIfNeeded: rgb)
            self.opacity = opacity
        }

        /// `#rrggbb`.
        var hex: String {
            "#"
                + [red, green, blue].map { part in
                    let digits = String(part, radix: 16)
                    return digits.utf8.count == 1 ? "0" + digits : digits
                }.joined()
        }
    }

    /// A place.
    struct Point: Equatable, Sendable {
        let x: Double
        let y: Double
    }

    /// Where a text stands, seen from its place.
    enum Anchor: String, Sendable { case start, middle, end }

    /// One shape.
    enum Shape: Equatable, Sendable {
        case area([Point], Colour)
        case line([Point], Colour, width: Double, dash: [Double])
        case text(String, Point, Anchor, size: Double, Colour, isBold: Bool)
    }

    /// Pixels.
    public let width: Int
    public let height: Int
    var shapes: [Shape] = []

    init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }
}
