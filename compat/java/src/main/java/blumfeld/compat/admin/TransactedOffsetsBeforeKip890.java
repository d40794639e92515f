package blumfeld.compat.admin;

import blumfeld.compat.clients.TransactedOffsets;

/** TransactedOffsets with an older transaction.version. */
class TransactedOffsetsBeforeKip890 extends TransactedOffsets implements BeforeKip890 {}
