internal import CCairo

/// Paints a drawing with Cairo, as a PNG.
///
/// - Source: Cairo, "Image Surfaces", "PNG Support", "Text": the toy text API, which takes a font
///   from the system.
public enum PNGWriter {
    /// Why there is no picture: a sentence.
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// Receives the bytes of the file as Cairo makes them.
    private final class Bytes {
        var bytes: [UInt8] = []
    }

    /// The bytes of the file.
    public static func bytes(_ drawing: Drawing) throws(Failure) -> [UInt8] {
        var cairo = coordinator_cairo()
        guard coordinator_load_cairo(&cairo) == 1 else {
            throw Failure(
                description:
                    "a png needs the library libcairo2, which is not on this host: install it "
                    + "(apt-get install libcairo2), or take -o svg, which needs nothing")
        }
        let surface = cairo.image_surface_create(
            CAIRO_FORMAT_RGB24, Int32(drawing.width), Int32(drawing.height))
        defer { cairo.surface_destroy(surface) }
        let context = cairo.create(surface)
        defer { cairo.destroy(context) }
        for shape in drawing.shapes { paint(shape, context, cairo) }
        guard cairo.status(context) == CAIRO_STATUS_SUCCESS,
            cairo.surface_status(surface) == CAIRO_STATUS_SUCCESS
        else { throw Failure(description: "cairo could not paint the picture") }
        let result = Bytes()
        let status = cairo.surface_write_to_png_stream(
            surface,
            { closure, data, count in
                guard let closure, let data else { return CAIRO_STATUS_WRITE_ERROR }
                let result = Unmanaged<Bytes>.fromOpaque(closure).takeUnretainedValue()
                result.bytes.append(
                    contentsOf: UnsafeBufferPointer(start: data, count: Int(count)))
                return CAIRO_STATUS_SUCCESS
            }, Unmanaged.passUnretained(result).toOpaque())
        guard status == CAIRO_STATUS_SUCCESS else {
            throw Failure(description: "cairo could not write the picture")
        }
        return result.bytes
    }

    private static func paint(
        _ shape: Drawing.Shape, _ context: OpaquePointer?, _ cairo: coordinator_cairo
    ) {
        switch shape {
        case .area(let points, let colour):
            trace(points, context, cairo)
            cairo.close_path(context)
            set(colour, context, cairo)
            cairo.fill(context)
        case .line(let points, let colour, let width, let dash):
            trace(points, context, cairo)
            set(colour, context, cairo)
            cairo.set_line_width(context, width)
            cairo.set_line_join(context, CAIRO_LINE_JOIN_ROUND)
            dash.withUnsafeBufferPointer {
                cairo.set_dash(context, $0.baseAddress, Int32($0.count), 0)
            }
            cairo.stroke(context)
        case .text(let text, let point, let anchor, let size, let colour, let isBold):
            set(colour, context, cairo)
            cairo.select_font_face(
                context, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
                isBold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL)
            cairo.set_font_size(context, size)
            let plain = visible(text)
            var extents = cairo_text_extents_t()
            cairo.text_extents(context, plain, &extents)
            let shift =
                switch anchor {
                case .start: 0.0
                case .middle: extents.x_advance / 2
                case .end: extents.x_advance
                }
            cairo.move_to(context, point.x - shift, point.y)
            cairo.show_text(context, plain)
        }
    }

    /// Control characters have no shape, and a zero byte would end the text.
    private static func visible(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map {
                    $0.value < 0x20 || (0x7F...0x9F).contains($0.value) ? "\u{FFFD}" : $0
                }))
    }

    private static func trace(
        _ points: [Drawing.Point], _ context: OpaquePointer?, _ cairo: coordinator_cairo
    ) {
        guard let first = points.first else { return }
        cairo.move_to(context, first.x, first.y)
        for point in points.dropFirst() { cairo.line_to(context, point.x, point.y) }
    }

    private static func set(
        _ colour: Drawing.Colour, _ context: OpaquePointer?, _ cairo: coordinator_cairo
    ) {
        cairo.set_source_rgba(
            context, Double(colour.red) / 255, Double(colour.green) / 255,
            Double(colour.blue) / 255, colour.opacity)
    }
}
