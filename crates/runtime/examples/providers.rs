//! Prints what every provider can do, as `docs/providers.md` has it.

fn main() {
    print!("{}", truststream_runtime::capability_tables());
}
