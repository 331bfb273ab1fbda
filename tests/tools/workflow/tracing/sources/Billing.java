package org.example.billing;

import java.util.List;
import static java.lang.Math.*;

/** Rechnungen. */
public class Billing extends Base<Invoice> implements Closeable {
    private final Function<Invoice, Long> rate = invoice -> lookup(invoice);

    public Billing() {
        this(new Ledger());
    }

    Billing(Ledger ledger) {
        super(ledger);
        this.open();
    }

    @Override
    public long total(List<Invoice> all) {
        return all.stream().map(this::charge).filter(Invoice::isDue).mapToLong(Long::valueOf).sum();
    }

    private <T> long charge(Invoice größe) {
        class Local {
            void run() { audit(größe); }
        }
        new Local().run();
        return max(0, factorial(3));
    }

    static long factorial(int n) { return n < 2 ? 1 : n * factorial(n - 1); }

    record Line(String text) {
        Line { Objects.requireNonNull(text); }
    }

    enum Kind { PAID { void note() { audit(null); } }; abstract void note(); }
}

interface Ledgers { default void audit(Invoice one) { print(new java.util.ArrayList<>()); } }
