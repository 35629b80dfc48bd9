/* A sound card that another program may hold: the ALSA device `busy` refuses while the file exists that its
 * configuration names, and is PipeWire's otherwise. */
#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <errno.h>
#include <unistd.h>

SND_PCM_PLUGIN_DEFINE_FUNC(busy)
{
  const char *held;
  snd_config_t *value;
  (void)root;
  if (snd_config_search(conf, "held", &value) < 0 || snd_config_get_string(value, &held) < 0)
    return -EINVAL;
  if (access(held, F_OK) == 0)
    return -EBUSY;
  return snd_pcm_open(pcmp, "pipewire", stream, mode);
}
SND_PCM_PLUGIN_SYMBOL(busy);
