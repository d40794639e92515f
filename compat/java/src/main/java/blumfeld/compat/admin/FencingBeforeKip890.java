package blumfeld.compat.admin;

import blumfeld.compat.clients.Fencing;

/** Fencing with an older transaction.version. */
class FencingBeforeKip890 extends Fencing implements BeforeKip890 {}
