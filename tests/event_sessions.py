"""Event files of TensorBoard with hyperparameters, written without TensorFlow."""


def write_session(folder, values, status=None, loss=1.0):
    """The event file of a run: its hyperparameters, one loss, and how it ended."""
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2, summary_v2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    point = summary_pb2.Summary.Value(tag="val_loss", simple_value=loss)
    summaries = [
        summary_v2.hparams_pb(values, start_time_secs=1.0), summary_pb2.Summary(value=[point])
    ]  # fmt: skip
    if status:
        end = plugin_data_pb2.SessionEndInfo(
            status=api_pb2.Status.Value(f"STATUS_{status}"), end_time_secs=3.5
        )
        message = plugin_data_pb2.HParamsPluginData(session_end_info=end)
        summaries.append(summary_v2._summary_pb("_hparams_/session_end_info", message))
    writer = EventFileWriter(str(folder))
    for summary in summaries:
        writer.add_event(event_pb2.Event(summary=summary))
    writer.close()
