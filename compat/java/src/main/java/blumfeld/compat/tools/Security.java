package blumfeld.compat.tools;

import blumfeld.compat.harness.Shape;
import blumfeld.compat.harness.Varargs;
import org.apache.kafka.tools.AclCommand;
import org.apache.kafka.tools.DelegationTokenCommand;
import org.junit.jupiter.api.Test;

/** kafka-acls and kafka-delegation-tokens against a broker without authorizer and SASL. */
class Security {
    @Test
    void noAuthorizer() throws Exception {
        String refused = """
                Error while executing ACL command: org.apache.kafka.common.errors.SecurityDisabledException: No Authorizer is configured on the broker
                """;
        Shape.has(refused, acls("--list").failed());
        Shape.has(refused, acls("--list", "--topic", "t").failed());
        Shape.has(refused, acls("--add", "--allow-principal", "User:x", "--operation", "read", "--topic", "t").failed());
        Shape.has("Error while executing ACL command: org.apache.kafka.common.errors.SecurityDisabledException: No Authorizer is configured.",
                acls("--remove", "--force", "--allow-principal", "User:x", "--operation", "read", "--topic", "t").failed());
    }

    @Test
    void noDelegationTokens() throws Exception {
        String refused = """
                org.apache.kafka.common.errors.UnsupportedByAuthenticationException: Delegation Token requests are not allowed on PLAINTEXT/1-way SSL channels and on delegation token authenticated channels.
                """;
        Shape.has("Calling describe token operation for current user.\n" + refused, tokens("--describe").failed());
        Shape.has("Calling create token operation with renewers :[] , max-life-time-period :-1\n" + refused,
                tokens("--create", "--max-life-time-period", "-1").failed());
        Shape.has(refused, tokens("--renew", "--renew-time-period", "-1", "--hmac", "AAAA").failed());
        Shape.has(refused, tokens("--expire", "--expiry-time-period", "-1", "--hmac", "AAAA").failed());
    }

    private static Tool.Outcome acls(String... args) throws Exception {
        return Commands.run(AclCommand::main, args);
    }

    private static Tool.Outcome tokens(String action, String... args) throws Exception {
        return Commands.run(DelegationTokenCommand::main, Varargs.prepend(args, action, "--command-config", "/dev/null"));
    }
}
