import Glibc

/// A whole terminal for a view that refreshes: what was on it comes back at the end.
///
/// - Not guaranteed: that the terminal is put right after a SIGKILL; `reset` does it then.
/// - Thread: one; not shared.
public final class TerminalScreen {
    private let output: OutputWriter
    private var saved: termios?
    private var isEntered = false

    /// A screen on standard output, with keys from standard input where that is a terminal.
    public init(_ output: OutputWriter) {
        self.output = output
    }

    /// Takes the terminal over: another screen, no cursor, keys as they are pressed and unseen.
    /// Keys that make signals still make them.
    public func enter() {
        guard !isEntered else { return }
        isEntered = true
        var settings = termios()
        if isatty(STDIN_FILENO) == 1, tcgetattr(STDIN_FILENO, &settings) == 0 {
            saved = settings
            settings.c_lflag &= ~tcflag_t(ICANON | ECHO)
            withUnsafeMutableBytes(of: &settings.c_cc) { keys in
                // A read gives what there is, and never waits.
                keys[Int(VMIN)] = 0
                keys[Int(VTIME)] = 0
            }
            tcsetattr(STDIN_FILENO, TCSANOW, &settings)
        }
        output.write("\u{1B}[?1049h\u{1B}[?25l")
        output.flush()
    }

    /// Gives the terminal back as it was; a second call does nothing.
    public func leave() {
        guard isEntered else { return }
        isEntered = false
        output.write("\u{1B}[?25h\u{1B}[?1049l")
        output.flush()
        if var settings = saved { tcsetattr(STDIN_FILENO, TCSANOW, &settings) }
        saved = nil
    }

    /// Shows lines from the top on, over what was there, without a flicker.
    public func draw(_ lines: [String]) {
        output.write(Self.frame(lines))
        output.flush()
    }

    /// The bytes of a frame: each line cleared behind its end, and all below the last one.
    static func frame(_ lines: [String]) -> String {
        "\u{1B}[H" + lines.joined(separator: "\u{1B}[K\r\n") + "\u{1B}[K\u{1B}[J"
    }

    /// The keys pressed since the last call; none where there is no terminal to press them on.
    public func keys() -> [UInt8] {
        guard saved != nil else { return [] }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(STDIN_FILENO, &bytes, bytes.count)
        return count > 0 ? Array(bytes[..<count]) : []
    }
}
