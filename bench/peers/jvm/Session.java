import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** The aggregate of one session (a POJO for Flink; bytes() / of() are its fixed binary form for Kafka Streams). */
public class Session {
    static final List<String> CHANNELS = List.of("web", "email", "call_centre", "branch");

    public String customer = "";
    public long count, first = Long.MAX_VALUE, last = Long.MIN_VALUE;
    public long web, email, call, branch;
    public double scoreSum;
    public long scores;
    public String lastKind = "";

    public Session add(Touch t) {
        customer = t.customer;
        count++;
        if (t.at < first) first = t.at;
        if (t.at >= last) { last = t.at; lastKind = t.kind; }
        switch (t.channel) { case 0: web++; break; case 1: email++; break; case 2: call++; break; default: branch++; }
        if (t.scored) { scoreSum += t.score; scores++; }
        return this;
    }

    public Session merge(Session o) {
        Session s = new Session();
        s.customer = count > 0 ? customer : o.customer;
        s.count = count + o.count;
        s.first = Math.min(first, o.first);
        s.last = Math.max(last, o.last);
        s.lastKind = last >= o.last ? lastKind : o.lastKind;
        s.web = web + o.web; s.email = email + o.email; s.call = call + o.call; s.branch = branch + o.branch;
        s.scoreSum = scoreSum + o.scoreSum;
        s.scores = scores + o.scores;
        return s;
    }

    public byte[] bytes() {
        byte[] c = customer.getBytes(StandardCharsets.UTF_8), k = lastKind.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(74 + c.length + k.length).putLong(count).putLong(first).putLong(last)
            .putLong(web).putLong(email).putLong(call).putLong(branch).putDouble(scoreSum).putLong(scores)
            .putShort((short) c.length).put(c).put(k).array();
    }

    public static Session of(byte[] b) {
        ByteBuffer in = ByteBuffer.wrap(b);
        Session s = new Session();
        s.count = in.getLong(); s.first = in.getLong(); s.last = in.getLong();
        s.web = in.getLong(); s.email = in.getLong(); s.call = in.getLong(); s.branch = in.getLong();
        s.scoreSum = in.getDouble(); s.scores = in.getLong();
        int n = in.getShort();
        s.customer = new String(b, 74, n, StandardCharsets.UTF_8);
        s.lastKind = new String(b, 74 + n, b.length - 74 - n, StandardCharsets.UTF_8);
        return s;
    }

    public byte[] json() {
        return ("{\"customer\":\"" + customer + "\",\"count\":" + count + ",\"first\":" + first + ",\"last\":" + last
            + ",\"web\":" + web + ",\"email\":" + email + ",\"call_centre\":" + call + ",\"branch\":" + branch
            + ",\"score_sum\":" + scoreSum + ",\"scores\":" + scores + ",\"last_kind\":\"" + lastKind + "\"}")
            .getBytes(StandardCharsets.UTF_8);
    }
}
