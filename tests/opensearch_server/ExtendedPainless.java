import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.ServiceLoader;
import org.opensearch.common.settings.Setting;
import org.opensearch.common.settings.Settings;
import org.opensearch.painless.PainlessPlugin;
import org.opensearch.plugins.ExtensiblePlugin;
import org.opensearch.plugins.Plugin;
import org.opensearch.plugins.ScriptPlugin;
import org.opensearch.script.ScriptContext;
import org.opensearch.script.ScriptEngine;

/** Painless with every extension of the class path: the plugin loader, absent here, would hand it the k-NN plugin's. */
public final class ExtendedPainless extends Plugin implements ScriptPlugin {
    private final PainlessPlugin painless = new PainlessPlugin();

    public ExtendedPainless() {
        painless.loadExtensions(new ExtensiblePlugin.ExtensionLoader() {
            @Override
            public <T> List<T> loadExtensions(Class<T> type) {
                List<T> found = new ArrayList<>();
                ServiceLoader.load(type).forEach(found::add);
                return found;
            }
        });
    }

    @Override
    public ScriptEngine getScriptEngine(Settings settings, Collection<ScriptContext<?>> contexts) {
        return painless.getScriptEngine(settings, contexts);
    }

    @Override
    public List<ScriptContext<?>> getContexts() {
        return painless.getContexts();
    }

    @Override
    public List<Setting<?>> getSettings() {
        return painless.getSettings();
    }
}
