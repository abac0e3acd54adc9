import CoordinatorService

/// The program: reads its arguments, does what they say, and exits with the code that interface users know.
@main enum Coordinator {
    static func main() {}
}
