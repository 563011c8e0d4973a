//! Soon.
use super::*;
#[test]
fn timing() {
    let world = Service::Microsoft.world();
    let t = std::time::Instant::now();
    let lap = |what: &str, n: u32| eprintln!("{what} {:?}", t.elapsed()/n.max(1));
    let scene = Scene::of(Service::Microsoft, &world, "[enforce]\nmax_changes_percent = 100\n[[enforce.rule]]\nrule = \"link-without-expiry\"\naction = \"set-expiry\"\nafter = \"30d\"\n");
    lap("scene", 1);
    scene.scan(); lap("scan", 1);
    let plan = scene.plan(); lap("plan", 1);
    let _s = scene.settings(); lap("settings", 1);
    drop(scene.ledger()); lap("ledger", 1);
    let w = scene.writer(); lap("writer", 1);
    drop(w); lap("drop", 1);
    scene.apply(&plan, "a"); lap("apply", 1);
    scene.apply(&plan, "b"); lap("apply", 1);
    scene.stored(); lap("stored", 1);
    scene.writes(); lap("writes", 1);
    scene.check_journal(&plan); lap("check", 1);
    drop(scene); lap("drop", 1);
}
