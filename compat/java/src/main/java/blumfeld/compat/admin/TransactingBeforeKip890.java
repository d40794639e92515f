package blumfeld.compat.admin;

import blumfeld.compat.clients.Transacting;

/** Transacting with an older transaction.version. */
class TransactingBeforeKip890 extends Transacting implements BeforeKip890 {}
