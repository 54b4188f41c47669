import java.lang.management.ManagementFactory;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;

/** The clock: starts at the first record, knows when the last one was seen, prints one JSON line. */
public class Bench {
    static final long EVENTS = Long.parseLong(System.getenv("EVENTS"));
    static final CountDownLatch ALL_SEEN = new CountDownLatch(1);
    private static volatile long t0, cpu0;
    private static volatile long n; // one source thread

    static long cpu() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
    }

    static void seen() {
        long k = n;
        if (k == 0) { cpu0 = cpu(); t0 = System.nanoTime(); }
        n = ++k;
        if (k == EVENTS) ALL_SEEN.countDown();
    }

    /** Call when everything is flushed and committed. */
    static void report(String version) {
        double seconds = (System.nanoTime() - t0) / 1e9, cpu = (cpu() - cpu0) / 1e9;
        System.out.printf(Locale.ROOT, "{\"version\":\"%s\",\"events\":%d,\"seconds\":%.3f,\"cpu_s_from_first\":%.2f}%n",
            version, n, seconds, cpu);
        System.out.flush();
    }
}
