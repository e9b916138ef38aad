import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.opensearch.Version;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.logging.LogConfigurator;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.Plugin;
import org.opensearch.plugins.PluginInfo;

/** A node with plugins from the class path: TestNode FOLDER PLUGIN,PLUGIN key=value... For tests, on loopback only. */
public final class TestNode extends Node {
    private static final String LOG =
        "status=error\nappender.out.type=Console\nappender.out.name=out\n"
            + "appender.out.layout.type=PatternLayout\nappender.out.layout.pattern=[%d{ISO8601}][%p][%c{1.}] %m%n\n"
            + "rootLogger.level=warn\nrootLogger.appenderRef.out.ref=out\n";

    // Raw, because a server of 2.x takes classes and one of 3.x descriptions of plugins.
    @SuppressWarnings({"unchecked", "rawtypes"})
    private TestNode(Environment environment, Collection plugins) {
        super(environment, plugins, true);
    }

    private static Object plugin(String name) throws Exception {
        Class<? extends Plugin> type = Class.forName(name).asSubclass(Plugin.class);
        if (Version.CURRENT.major < 3) {
            return type;
        }
        String java = String.valueOf(Runtime.version().feature());
        List<String> extended =
            name.endsWith(".KNNPlugin") ? List.of("org.opensearch.painless.PainlessModulePlugin") : List.of();
        return new PluginInfo(name, "of the class path", "1", Version.CURRENT, java, name, extended, false);
    }

    @Override
    protected void configureNodeAndClusterIdStateListener(ClusterService service) {
        // The node's own logging pattern wants an id that this configuration has no place for.
    }

    public static void main(String[] arguments) throws Exception {
        // A native library that is missing shows as an Error in a pool's thread; without this the request would hang.
        Thread.setDefaultUncaughtExceptionHandler((thread, error) -> {
            error.printStackTrace();
            if (error instanceof Error) {
                Runtime.getRuntime().halt(1);
            }
        });
        Path home = Path.of(arguments[0]).toAbsolutePath();
        Path config = Files.createDirectories(home.resolve("config"));
        Files.writeString(config.resolve("log4j2.properties"), LOG);
        Settings.Builder settings = Settings.builder().put("path.home", home).put("path.data", home.resolve("data"));
        settings.put("path.logs", home.resolve("logs"));
        for (String pair : List.of(arguments).subList(2, arguments.length)) {
            String[] parts = pair.split("=", 2);
            settings.put(parts[0], parts[1]);
        }
        Environment environment =
            InternalSettingsPreparer.prepareEnvironment(settings.build(), Map.of(), config, () -> "test-node");
        LogConfigurator.registerErrorListener();
        LogConfigurator.setNodeName("test-node");
        LogConfigurator.configure(environment);
        List<Object> plugins = new ArrayList<>();
        for (String name : arguments[1].split(",")) {
            plugins.add(plugin(name));
        }
        TestNode node = new TestNode(environment, plugins);
        node.start();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
            } catch (Exception error) {
                error.printStackTrace();
            }
        }));
        // However the process that started this one ends, its end of the pipe closes.
        while (System.in.read() >= 0) {
        }
        System.exit(0);
    }
}
