/// Writes a drawing as SVG: no script, no reference to anything outside, and every text escaped.
///
/// - Source: Scalable Vector Graphics 1.1; Extensible Markup Language 1.0, "Characters".
public enum SVGWriter {
    /// The whole document.
    public static func text(_ drawing: Drawing) -> String {
        var lines = [
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(drawing.width)\" "
                + "height=\"\(drawing.height)\" viewBox=\"0 0 \(drawing.width) \(drawing.height)\" "
                + "font-family=\"DejaVu Sans, Verdana, Arial, sans-serif\">"
        ]
        for shape in drawing.shapes {
            switch shape {
            case .area(let points, let colour):
                lines.append(
                    "<polygon points=\"\(path(points))\" fill=\"\(colour.hex)\""
                        + opacity("fill", colour) + "/>")
            case .line(let points, let colour, let width, let dash):
                let dashes =
                    dash.isEmpty
                    ? "" : " stroke-dasharray=\"\(dash.map(number).joined(separator: ","))\""
                lines.append(
                    "<polyline points=\"\(path(points))\" fill=\"none\" stroke=\"\(colour.hex)\" "
                        + "stroke-width=\"\(number(width))\" stroke-linejoin=\"round\"\(dashes)/>")
            case .text(let text, let point, let anchor, let size, let colour, let isBold):
                lines.append(
                    "<text x=\"\(number(point.x))\" y=\"\(number(point.y))\" "
                        + "text-anchor=\"\(anchor.rawValue)\" font-size=\"\(number(size))\" "
                        + (isBold ? "font-weight=\"bold\" " : "")
                        + "fill=\"\(colour.hex)\">\(escaped(text))</text>")
            }
        }
        return lines.joined(separator: "\n") + "\n</svg>\n"
    }

    /// Text that can stand in an element: what XML gives a meaning is written as a reference, and
    /// what it forbids as U+FFFD.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default:
                // What reorders or hides text; joiners stay, scripts need them.
                let category = scalar.properties.generalCategory
                let isHidden =
                    category == .format && scalar.value != 0x200C && scalar.value != 0x200D
                    || category == .lineSeparator || category == .paragraphSeparator
                let isAllowed =
                    scalar.value >= 0x20 && !(0x7F...0x9F).contains(scalar.value)
                    && scalar.value & 0xFFFE != 0xFFFE && !isHidden
                result.unicodeScalars.append(isAllowed ? scalar : "\u{FFFD}")
            }
        }
        return result
    }

    private static func opacity(_ what: String, _ colour: Drawing.Colour) -> String {
        colour.opacity < 1 ? " \(what)-opacity=\"\(number(colour.opacity))\"" : ""
    }

    private static func path(_ points: [Drawing.Point]) -> String {
        points.map { number($0.x) + "," + number($0.y) }.joined(separator: " ")
    }

    /// At most two decimals: finer no eye sees.
    private static func number(_ value: Double) -> String {
        let hundredths = Int64((value * 100).rounded())
        let whole = hundredths.magnitude / 100
        let rest = hundredths.magnitude % 100
        let sign = hundredths < 0 ? "-" : ""
        if rest == 0 { return "\(sign)\(whole)" }
        return sign + "\(whole)." + (rest < 10 ? "0\(rest)" : "\(rest)")
    }
}
